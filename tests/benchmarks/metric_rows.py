"""What metrics are measured with: typical rows, the parameters for them, and what else does the same work row by row."""

import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from evalbus.metrics.normalization import squad
from evalbus_schemas.base import JsonObject
from tests.metric_cases.case import Case
from tests.metric_cases.checks import CHECKS
from tests.metric_cases.labels import LABELS
from tests.metric_cases.overlap import OVERLAP
from tests.system import generate_rows

OUTPUT: Final = "{{ sample.output_text }}"
REFERENCE: Final = "{{ item.reference }}"

Pair = tuple[Any, str]
"""A row's reference and its answer."""
Work = Callable[[Sequence[Pair]], object]
"""Scores all pairs, one after the other."""


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A library, or the formula in plain Python, that gives the same for the same rows."""

    name: str
    prepare: Callable[[], Work]
    """Imports what it needs, which is not measured."""


@dataclass(frozen=True, kw_only=True)
class Course:
    """A metric's parameters, pairs that are typical of it, and whom to compare with."""

    parameters: dict[str, Any] = field(default_factory=lambda: {"reference": REFERENCE})
    pairs: Callable[[Sequence[JsonObject]], list[Pair]]
    peer: Peer | None = None
    alone: str = ""
    """Why there is nobody to compare with."""
    sample: Callable[[str], JsonObject] = lambda answer: {"output_text": answer}


def plain_rows(n: int) -> list[JsonObject]:
    """Those that throughput is measured with: `input` of 25 words, `reference`, `output`, `topic`."""
    with tempfile.TemporaryDirectory() as folder:
        lines = generate_rows(n, Path(folder) / "rows.jsonl").read_bytes().splitlines()
    return [orjson.loads(line) for line in lines]


def course_of(metric_type: str) -> Course:
    """The one that is written here, else the rows of its case over and over."""
    if metric_type in COURSES:
        return COURSES[metric_type]
    case = next(case for case in (*CHECKS, *OVERLAP, *LABELS) if case.type == metric_type)
    return Course(
        parameters=case.parameters, pairs=_repeated(case), alone="no rows of its own are written"
    )


def _repeated(case: Case) -> Callable[[Sequence[JsonObject]], list[Pair]]:
    given = [(reference, answer) for reference, answer, _ in case.scored]
    return lambda rows: [given[place % len(given)] for place in range(len(rows))]


def answers(rows: Sequence[JsonObject]) -> list[Pair]:
    return [(row["reference"], str(row["output"])) for row in rows]


def sentences(rows: Sequence[JsonObject]) -> list[Pair]:
    """Of 25 words, every fifth of which the answer has otherwise, on average."""
    chance = random.Random(7)
    words = " ".join(str(row["reference"]) for row in rows[:100]).split()
    return [
        (
            str(row["input"]),
            " ".join(
                chance.choice(words) if chance.random() < 0.2 else word
                for word in str(row["input"]).split()
            ),
        )
        for row in rows
    ]


def numbers(rows: Sequence[JsonObject]) -> list[Pair]:
    return [
        (place * 7, f"{row['input']} That makes ${place * 7 + place % 2:,}.00 in all.")
        for place, row in enumerate(rows)
    ]


def labels(rows: Sequence[JsonObject]) -> list[Pair]:
    chance = random.Random(7)
    topics = ["geo", "math", "chem", "misc"]
    return [
        (row["topic"], str(row["topic"]) if chance.random() < 0.7 else chance.choice(topics))
        for row in rows
    ]


def documents(rows: Sequence[JsonObject]) -> list[Pair]:
    return [(row["reference"], json.dumps(row)) for row in rows]


def probabilities(rows: Sequence[JsonObject]) -> list[Pair]:
    chance = random.Random(7)
    return [({"p": chance.random(), "came": chance.random() < 0.5}, "") for _ in rows]


def choices(rows: Sequence[JsonObject]) -> list[Pair]:
    chance = random.Random(7)
    return [
        (chance.choice("ABCD"), f"{row['input']} The answer is ({chance.choice('ABCD')}).")
        for row in rows
    ]


def calls(rows: Sequence[JsonObject]) -> list[Pair]:
    """Two calls as OpenAI-compatible endpoints write them; half of the answers have another argument."""
    pairs: list[Pair] = []
    for place, row in enumerate(rows):
        given = [_call("search", {"query": row["input"], "page": page}) for page in (1, 2)]
        other = [given[0], _call("search", {"query": row["input"], "page": 2 + place % 2})]
        pairs.append((given, json.dumps(other)))
    return pairs


def _call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def _called(answer: str) -> JsonObject:
    message = {"role": "assistant", "content": None, "tool_calls": json.loads(answer)}
    return {"output_text": "", "response": {"choices": [{"message": message}]}}


def vectors(rows: Sequence[JsonObject]) -> list[Pair]:
    chance = random.Random(7)
    return [([[chance.gauss(0, 1) for _ in range(64)] for _ in range(2)], "") for _ in rows]


def formulas(rows: Sequence[JsonObject]) -> list[Pair]:
    return [
        (rf"\frac{{{place % 50 + 1}}}{{4}}", rf"So it is $\boxed{{{(place % 50 + 1) / 4}}}$.")
        for place in range(len(rows))
    ]


def _each(name: str, make: Callable[[], Callable[[Any, str], object]]) -> Peer:
    def prepare() -> Work:
        score = make()
        return lambda pairs: [score(reference, answer) for reference, answer in pairs]

    return Peer(name=name, prepare=prepare)


def _plain_f1(reference: str, answer: str) -> float:
    given, wanted = squad(answer).split(), squad(reference).split()
    shared = sum((Counter(given) & Counter(wanted)).values())
    if not given or not wanted:
        return float(given == wanted)
    if shared == 0:
        return 0.0
    precision, recall = shared / len(given), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _plain_number(reference: int, answer: str) -> bool:
    return reference == float(re.findall(r"-?\d[\d,]*\.?\d*", answer)[-1].replace(",", ""))


def _distance() -> Callable[[str, str], object]:
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_similarity


def _bleu() -> Work:
    import sacrebleu

    return lambda pairs: (
        [sacrebleu.sentence_bleu(answer, [reference]) for reference, answer in pairs],
        sacrebleu.corpus_bleu([answer for _, answer in pairs], [[each for each, _ in pairs]]),
    )


def _chrf() -> Work:
    import sacrebleu

    return lambda pairs: (
        [sacrebleu.sentence_chrf(answer, [reference]) for reference, answer in pairs],
        sacrebleu.corpus_chrf([answer for _, answer in pairs], [[each for each, _ in pairs]]),
    )


def _ter() -> Work:
    import sacrebleu

    return lambda pairs: (
        [sacrebleu.sentence_ter(answer, [reference]) for reference, answer in pairs],
        sacrebleu.corpus_ter([answer for _, answer in pairs], [[each for each, _ in pairs]]),
    )


def _wer() -> Callable[[str, str], object]:
    import jiwer

    return lambda reference, answer: jiwer.process_words(reference, answer).wer


def _cer() -> Callable[[str, str], object]:
    import jiwer

    return lambda reference, answer: jiwer.process_characters(reference, answer).cer


def _classified() -> Work:
    from sklearn import metrics  # type: ignore[import-untyped]  # it brings no types

    def work(pairs: Sequence[Pair]) -> object:
        wanted, given = zip(*pairs, strict=True)
        return (
            metrics.classification_report(wanted, given, zero_division=0),
            metrics.balanced_accuracy_score(wanted, given),
            metrics.matthews_corrcoef(wanted, given),
            metrics.cohen_kappa_score(wanted, given),
        )

    return work


def _calibrated() -> Work:
    from sklearn import metrics

    def work(pairs: Sequence[Pair]) -> object:
        outcomes = [each["came"] for each, _ in pairs]
        chances = [each["p"] for each, _ in pairs]
        return metrics.brier_score_loss(outcomes, chances), metrics.log_loss(outcomes, chances)

    return work


def _validated() -> Callable[[Any, str], object]:
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(SCHEMA)
    return lambda _, answer: validator.is_valid(json.loads(answer))


def _cosine() -> Callable[[Any, str], object]:
    import numpy

    def cosine(pair: list[list[float]], _: str) -> object:
        left, right = map(numpy.asarray, pair)
        return left @ right / (numpy.linalg.norm(left) * numpy.linalg.norm(right))

    return cosine


def _verified() -> Callable[[Any, str], object]:
    from math_verify import parse, verify  # type: ignore[import-untyped]  # it brings no types

    return lambda reference, answer: verify(
        parse(f"${reference}$", parsing_timeout=None),
        parse(answer, parsing_timeout=None),
        timeout_seconds=None,
    )


SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "input", "output"],
    "properties": {
        "id": {"type": "integer", "minimum": 0},
        "input": {"type": "string"},
        "topic": {"enum": ["geo", "math", "chem", "misc"]},
    },
}
PATTERN: Final = r"(?:alpha|beta) \w+"
BOTH_SIDES: Final = {"left_template": OUTPUT, "right_template": REFERENCE}
REFERENCES: Final = {"references": [REFERENCE]}

COURSES: Final[dict[str, Course]] = {
    "exact-match": Course(
        pairs=answers,
        peer=_each("its formula in Python", lambda: lambda one, other: squad(one) == squad(other)),
    ),
    "string-check": Course(
        parameters={"operation": "contains", **BOTH_SIDES},
        pairs=answers,
        peer=_each("str in Python", lambda: lambda reference, answer: reference in answer),
    ),
    "number-check": Course(
        parameters={"operation": "==", **BOTH_SIDES},
        pairs=numbers,
        peer=_each("re.findall", lambda: _plain_number),
    ),
    "contains-any": Course(
        parameters={"expected": [REFERENCE, "oxygen"]},
        pairs=answers,
        alone="a line of Python would be measured",
    ),
    "contains-all": Course(
        parameters={"expected": [REFERENCE, "oxygen"]},
        pairs=answers,
        alone="a line of Python would be measured",
    ),
    "regex": Course(
        parameters={"pattern": PATTERN},
        pairs=sentences,
        peer=_each("re", lambda: lambda _, answer: re.search(PATTERN, answer)),
    ),
    "json-valid": Course(
        parameters={},
        pairs=documents,
        peer=_each("json", lambda: lambda _, answer: json.loads(answer)),
    ),
    "json-schema": Course(
        parameters={"schema": SCHEMA}, pairs=documents, peer=_each("jsonschema", _validated)
    ),
    "multiple-choice": Course(pairs=choices, alone="every program has rules of its own"),
    "tool-calling": Course(
        parameters={"reference": REFERENCE},
        pairs=calls,
        sample=_called,
        alone="no library in the environment compares calls",
    ),
    "length": Course(parameters={}, pairs=sentences, alone="a line of Python would be measured"),
    "latency": Course(
        parameters={},
        pairs=answers,
        sample=lambda answer: {"output_text": answer, "latency_seconds": 0.25},
        alone="it is a look-up",
    ),
    "f1": Course(pairs=answers, peer=_each("its formula in Python", lambda: _plain_f1)),
    "levenshtein": Course(pairs=sentences, peer=_each("rapidfuzz", _distance)),
    "bleu": Course(
        parameters=REFERENCES, pairs=sentences, peer=Peer(name="sacrebleu", prepare=_bleu)
    ),
    "chrf": Course(
        parameters=REFERENCES, pairs=sentences, peer=Peer(name="sacrebleu", prepare=_chrf)
    ),
    "ter": Course(
        parameters=REFERENCES, pairs=sentences, peer=Peer(name="sacrebleu", prepare=_ter)
    ),
    "rouge": Course(pairs=sentences, alone="rouge-score is not in the environment"),
    "wer": Course(pairs=sentences, peer=_each("jiwer", _wer)),
    "cer": Course(pairs=sentences, peer=_each("jiwer", _cer)),
    "classification": Course(
        pairs=labels, peer=Peer(name="scikit-learn, all at once", prepare=_classified)
    ),
    "calibration": Course(
        parameters={
            "probability": "{{ item.reference.p }}",
            "outcome": "{{ item.reference.came }}",
        },
        pairs=probabilities,
        peer=Peer(name="scikit-learn, all at once", prepare=_calibrated),
    ),
    "pass-at-k": Course(
        parameters={"of": {"type": "exact-match", "reference": REFERENCE}, "k": [1]},
        pairs=answers,
        alone="its work is that of the metric it asks",
    ),
    "math": Course(pairs=formulas, peer=_each("math-verify", _verified)),
    "vector-similarity": Course(
        parameters={
            "left": "{{ item.reference[0] }}",
            "right": "{{ item.reference[1] }}",
        },
        pairs=vectors,
        peer=_each("numpy", _cosine),
    ),
}
