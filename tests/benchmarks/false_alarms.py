"""How often explanations find something where there is nothing, and how often what is there.

usage: python -m tests.benchmarks.false_alarms [--datasets 200]

Prints one JSON document: the share of random jobs without any effect in which something is found, which is to stay
below 0.05, and of jobs with a planted effect, by its size in standard deviations, the share in which it is.
"""

import argparse
import json
import random

from tests.explained import drivers_in, explained_scores
from tests.without_effect import explanations_without_effect, findings

SIZES = (0.3, 0.5, 0.8)
ROWS = 400


def planted(seed: int, size: float) -> bool:
    """Whether rows of a third of all, that score so much lower, are found."""
    chance = random.Random(seed)
    hard = [chance.random() < 1 / 3 for _ in range(ROWS)]
    items = [{"question": "word " * chance.randint(1, 30)} for _ in hard]
    scores = [chance.gauss(-size if is_hard else 0.0, 1) for is_hard in hard]
    found = explained_scores(items, scores, slices={"hard": hard})
    return any(driver.feature == "slice:hard" for driver in drivers_in(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=200)
    options = parser.parse_args()
    datasets = range(options.datasets)
    alarmed = [seed for seed in datasets if findings(explanations_without_effect(seed))]
    looks = [explanations_without_effect(seed).looks for seed in range(min(20, len(datasets)))]
    report = {
        "datasets": len(datasets),
        "false_alarms": len(alarmed) / len(datasets),
        "alarmed": alarmed,
        "looks_of_each": [min(looks), max(looks)],
        "found_of_planted": {
            str(size): sum(planted(seed, size) for seed in datasets) / len(datasets)
            for size in SIZES
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
