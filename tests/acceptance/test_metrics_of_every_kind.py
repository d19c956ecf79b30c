"""Every metric that asks nobody, in one job: the result is the same however its rows were divided, and whoever died."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from random import Random

import pytest

from evalbus.client import Client
from tests.metric_cases.checks import CHECKS
from tests.metric_cases.labels import LABELS
from tests.metric_cases.overlap import OVERLAP
from tests.metric_cases.vectors import VECTORS
from tests.servers.deadline import wait_until
from tests.system import IMPATIENT, System, write_benchmark

CASES = (*CHECKS, *LABELS, *OVERLAP, *VECTORS)

GENERATED_ROWS = 100
WORDS = (
    *(
        "the",
        "cat",
        "sat",
        "on",
        "mat",
        "A",
        "B",
        "no",
        "spam",
        "ham",
        "7",
        "1,000",
        "0.5",
        "$x^2$",
    ),
    *("größe", "İstanbul", "ﬁn", "e\u0301", "日本語", "שלום", "مرحبا", "नमस्ते", "🙂", "👩\u200d🚀"),
    *("", "\u202e", "\u00a0", "\x00", "\n", "{}", "[1, 2]", '{"a": null}', "\\frac{1}{2}"),
)
ODD_REFERENCES: tuple[object, ...] = (
    *(None, True, 0, -1.5, 10**30, [], [None], ["the cat", "ein Hut"], [[1], {"a": []}]),
    *("", " ", "\ufeff", "\ud83d\ude42" * 50, {"a": {"b": [1, None, "ü"]}}, [1, 0], [0.1] * 300),
)


def a_text(random: Random) -> str:
    return " ".join(random.choices(WORDS, k=random.randrange(12)))


def rows() -> list[dict[str, object]]:
    """The pairs that metrics are documented with, whatever else may stand in a row, and generated text."""
    random = Random(5)
    cased = [(pair[0], pair[1]) for case in CASES for pair in chain(case.scored, case.unscored)]
    odd = [(reference, a_text(random)) for reference in ODD_REFERENCES]
    texts = [(a_text(random), a_text(random)) for _ in range(GENERATED_ROWS)]
    pairs = [*cased, *odd, *texts]
    random.shuffle(pairs)
    return [{"reference": reference, "output": output} for reference, output in pairs]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """All that a job leaves behind but its ids and times; as text, so that it is the same to the last bit."""

    result: str
    rows: tuple[str, ...]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(
        tmp_path_factory.mktemp("every-kind"),
        rows(),
        models=[
            {"name": "answers", "type": "recorded", "output": "{{ item.output }}"},
            {"name": "knows", "type": "recorded", "output": "{{ item.reference }}"},
            {
                "name": "rambles",
                "type": "recorded",
                "output": "{{ item.output }} or {{ item.reference }}",
            },
        ],
        metrics=[{"name": case.type, "type": case.type} | case.parameters for case in CASES],
    )


@pytest.fixture(scope="module")
def embedded(benchmark: Path) -> Outcome:
    """What comes out of one process."""
    with Client.embedded(benchmark.parent / "data") as client:
        return outcome(client, run(client, benchmark))


@pytest.fixture
def system(amqp_url: str, database_url: str, benchmark: Path, tmp_path: Path) -> Iterator[System]:
    settings = {**IMPATIENT, "EVALBUS_DATASET_ROOTS": str(benchmark.parent)}
    system = System(amqp_url, database_url, tmp_path, settings=settings)
    try:
        yield system
    finally:
        system.stop()


def run(client: Client, benchmark: Path) -> str:
    job = client.jobs.start(benchmark).name
    wait_until_completed(client, job)
    return job


def wait_until_completed(client: Client, job: str) -> None:
    ended = client.jobs.wait(job, timeout_seconds=60)
    assert ended.status == "completed", repr(client.jobs.why(job))


def outcome(client: Client, job: str) -> Outcome:
    result = client.results.get(job)
    rows = sorted(client.results.rows(job), key=lambda row: (row.model, row.row_index))
    return Outcome(
        result=result.model_dump_json(include={"results", "signatures", "data"}),
        rows=tuple(map(repr, rows)),
    )


@pytest.mark.parametrize("chunk_rows", [7, 37, 500])
def test_neither_chunks_nor_a_killed_evaluator_show_in_any_metric(
    system: System, benchmark: Path, embedded: Outcome, chunk_rows: int
) -> None:
    # given
    system.settings = {**system.settings, "EVALBUS_CHUNK_ROWS_MAX": str(chunk_rows)}
    system.start("producer", "results", "evaluator")

    with Client(amqp_url=system.amqp_url) as client:
        # when
        alone = run(client, benchmark)

        # then
        assert outcome(client, alone) == embedded

        # when
        for name in ("evaluator-1", "evaluator-2"):
            system.add(name, "evaluator").wait_until_serving()
        together = client.jobs.start(benchmark).name
        wait_until(
            lambda: client.jobs.get(together).status == "active",
            timeout_seconds=30,
            otherwise=lambda: repr(client.jobs.why(together)),
        )
        system["evaluator-0"].kill9()
        assert not client.jobs.get(together).is_terminal, "it was killed too late to mean anything"
        wait_until_completed(client, together)

        # then
        assert outcome(client, together) == embedded
