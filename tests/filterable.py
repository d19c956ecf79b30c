"""Results that differ in everything they can be filtered by, and wishes about them, drawn from the same few values."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import orjson
from hypothesis import strategies as st
from pydantic import JsonValue

from tests.filtering import All, No, ScoreLine, Some, StoredResult, Test, Wish

if TYPE_CHECKING:
    from evalbus.store.postgres.database import Connection

NAMES = [
    "llama",
    "Llama-3",
    "llama_3",
    "llama3",
    "llamax3",
    "100%",
    "100",
    "a\\b",
    "a%b",
    "zoë",
    "ZOË",
    "null",
]
BENCHMARKS = ["default/capitals", "default/rivers", "default/cap_tals", "default/Capitals"]
DATASETS = ["default/one", "default/two", "default/three"]
MODELS = ["default/small", "default/large", "default/gpt-4.1", "default/LARGE"]
PEOPLE = ["ann", "Ann", "O'Brien", "вера", "ВЕРА", ""]
KEYS = [
    "team",
    "te.am",
    "a b",
    'q"uote',
    "per%cent",
    "back\\slash",
    "ключ",
    "$eq",
    "x:y",
    "=",
    "-",
    "OR",
    "'",
]
LABELS = [
    "",
    "red",
    "RED",
    "%",
    "_",
    "\\",
    "100%",
    "a_c",
    "abc",
    "a\\_c",
    "'; DROP TABLE result; --",
    '"',
    "été",
    "ÉTÉ",
    "e\u0301te\u0301",
    "🎉",
    "\u202e",
    "\ufffd",
    "null",
    "AND",
    "007",
    "7",
    "{}",
    "$1",
]
METRICS = ["exact-match", "judge", "judge.help"]
SCORES = ["exact-match", "help", "help.ful", "ful"]
NUMBERS = [0.0, 0.5, 0.8, 1.0, -1.0, 1e-300, 5e-324, 1.7976931348623157e308, -1e308, 0.1 + 0.2]
STATISTICS = [
    "count",
    "nan_count",
    "n_rows",
    "n_failed",
    "sum",
    "mean",
    "min",
    "max",
    "variance",
    "std_dev",
    "mean_failures_as_worst",
]
DAYS = [
    datetime(2024, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2025, 1, 1, 2, tzinfo=UTC),
    datetime(2025, 6, 15, 12, 30, 0, 250000, UTC),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, tzinfo=UTC),
]
OFFSETS = [0, 2, -11, 5.75]


def some_results(count: int, *, workspace: str = "default", seed: int = 1) -> list[StoredResult]:
    """The same ones every time."""
    chance = Random(seed)
    return [_a_result(number, workspace, chance) for number in range(count)]


def _a_result(number: int, workspace: str, chance: Random) -> StoredResult:
    def some(values: Sequence[str], most: int) -> list[str]:
        return chance.sample(values, chance.randint(0, most))

    return StoredResult(
        id=str(UUID(int=chance.getrandbits(128), version=4)),
        # A name is taken once: the later ones only begin alike.
        name=NAMES[number] if number < len(NAMES) else f"{chance.choice(NAMES)}-{number}",
        workspace=workspace,
        benchmark=chance.choice(BENCHMARKS),
        datasets=some(DATASETS, 3),
        models=some(MODELS, 3),
        metrics=[f"{workspace}/{metric}" for metric in some(METRICS, 3)],
        created_at=chance.choice(DAYS),
        updated_at=chance.choice(DAYS),
        started_at=chance.choice([None, *DAYS]),
        finished_at=chance.choice(DAYS),
        created_by=chance.choice([None, *PEOPLE]),
        rows=chance.choice([0, 1, 10, 2**53]),
        failed_rows=chance.choice([0, 1, 10]),
        labels={key: chance.choice(LABELS) for key in some(KEYS, 6)},
        scores=[_a_line(workspace, chance) for _ in range(chance.randint(0, 4))],
    )


def _a_line(workspace: str, chance: Random) -> ScoreLine:
    count, nan_count = chance.choice([0, 1, 5]), chance.choice([0, 2])
    optional = ["sum", "mean", "min", "max", "variance", "std_dev", "mean_failures_as_worst"]
    return ScoreLine(
        metric=f"{workspace}/{chance.choice(METRICS)}",
        score=chance.choice(SCORES),
        statistics={
            "count": count,
            "nan_count": nan_count,
            "n_rows": count + nan_count,
            "n_failed": chance.choice([0, nan_count]),
            **{name: chance.choice([None, *NUMBERS]) for name in optional},
        },
    )


def a_result(
    *,
    name: str,
    benchmark: str = BENCHMARKS[0],
    models: Sequence[str] = MODELS[:1],
    created_at: datetime = DAYS[1],
    started_at: datetime | None = None,
    created_by: str | None = None,
    labels: Mapping[str, str] | None = None,
    scores: Sequence[ScoreLine] = (),
) -> StoredResult:
    """One of which a test says what matters."""
    return StoredResult(
        id=str(uuid4()),
        name=name,
        benchmark=benchmark,
        datasets=DATASETS[:1],
        models=models,
        created_at=created_at,
        updated_at=created_at,
        started_at=started_at,
        finished_at=created_at,
        created_by=created_by,
        labels=labels or {},
        scores=scores,
    )


async def write_results(
    connection: "Connection | asyncpg.Connection[asyncpg.Record]", results: Sequence[StoredResult]
) -> None:
    for result in results:
        number = await connection.fetchval(
            """
            INSERT INTO result (
                result_id, workspace, name, job_id, job_no, benchmark, datasets, models, metrics, labels,
                n_rows, n_failed, created_at, updated_at, started_at, finished_at, created_by
            )
            VALUES ($1, $2, $3, gen_random_uuid(), 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            RETURNING result_no
            """,
            UUID(result.id),
            result.workspace,
            result.name,
            result.benchmark,
            result.datasets,
            result.models,
            result.metrics,
            orjson.dumps(result.labels).decode(),
            result.rows,
            result.failed_rows,
            result.created_at,
            result.updated_at,
            result.started_at,
            result.finished_at,
            result.created_by,
        )
        stored = [name for name in STATISTICS if name != "n_rows"]
        await connection.copy_records_to_table(
            "result_score",
            columns=["result_no", "position", "dataset", "model", "metric", "score", *stored],
            records=[
                (
                    number,
                    position,
                    "default/one",
                    "default/small",
                    line.metric,
                    line.score,
                    *(line.statistics[name] for name in stored),
                )
                for position, line in enumerate(result.scores)
            ],
        )


TEXTS = {
    "id": ["a", "-4", ""],
    "name": NAMES,
    "workspace": ["default", "other"],
    "benchmark": BENCHMARKS,
    "dataset": DATASETS,
    "datasets": DATASETS,
    "model": MODELS,
    "models": MODELS,
    "metric": ["default/judge", "default/exact-match"],
    "metrics": ["default/judge.help"],
    "created_by": PEOPLE,
}
MOMENTS = ["created_at", "updated_at", "started_at", "finished_at"]
SCORE_PATHS = [
    *METRICS,
    "judge.help.ful",
    "judge.ful",
    "default/judge",
    "default/judge.help",
    "other/judge",
    "nobody",
]
ORDERS = ["$eq", "$lt", "$lte", "$gt", "$gte"]


@st.composite
def _text_tests(draw: st.DrawFn) -> Test:
    field = draw(st.sampled_from([*TEXTS, *(f"labels.{key}" for key in KEYS)]))
    return _a_test(draw, field, st.sampled_from(TEXTS.get(field, LABELS)) | odd_texts, like=True)


@st.composite
def _number_tests(draw: st.DrawFn) -> Test:
    scores = [f"scores.{path}.{name}" for path in SCORE_PATHS for name in STATISTICS]
    field = draw(st.sampled_from(["rows", "failed_rows"]) | st.sampled_from(scores))
    numbers = st.sampled_from([*NUMBERS, 0, 1, 2, 5, 7, 10]) | st.floats(
        allow_nan=False, allow_infinity=False
    )
    return _a_test(draw, field, numbers, like=False)


@st.composite
def _moment_tests(draw: st.DrawFn) -> Test:
    field = draw(st.sampled_from(MOMENTS))
    if draw(st.booleans()):
        written = [day.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for day in DAYS]
        pieces = ["2025", "2025-01", "t0", "Z", ".25", ":59", "%", "_", *written]
        return Test(field, "$like", draw(st.sampled_from(pieces)))
    return _a_test(draw, field, written_moments(), like=False)


@st.composite
def written_moments(draw: st.DrawFn) -> str:
    """Near the moments that results have, at any offset, or as a date."""
    day = draw(st.sampled_from(DAYS[:4])) + timedelta(
        microseconds=draw(st.sampled_from([-1, 0, 0, 0, 1]))
    )
    form = draw(st.sampled_from(["offset", "naive", "zulu", "date"]))
    match form:
        case "offset":
            zone = timezone(timedelta(hours=draw(st.sampled_from(OFFSETS))))
            return day.astimezone(zone).isoformat()
        case "naive":
            return day.replace(tzinfo=None).isoformat()
        case "zulu":
            return day.replace(tzinfo=None).isoformat() + "Z"
        case _:
            return day.date().isoformat()


# Neither NUL nor half a pair, which no filter may have; and no letter whose small form is a matter of opinion.
odd_texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5).filter(
    lambda text: text == text.lower()
)


def _a_test(
    draw: st.DrawFn,
    field: str,
    values: st.SearchStrategy[str] | st.SearchStrategy[float],
    *,
    like: bool,
) -> Test:
    operator = draw(st.sampled_from([*ORDERS, "$in", "$nin", *(["$like"] if like else [])]))
    if operator in ("$in", "$nin"):
        listed: list[JsonValue] = [*draw(st.lists(values | st.none(), max_size=4))]
        # Now and then more of them, which may be asked for in another way.
        listed *= draw(st.sampled_from([1, 1, 1, 10]))
        return Test(field, operator, listed)
    if operator == "$eq" and draw(st.integers(0, 9)) == 0:
        return Test(field, operator, None)
    return Test(field, operator, draw(values))


def wishes() -> st.SearchStrategy[Wish]:
    """Every operator on every kind of field, nested."""
    return trees_of(_text_tests() | _number_tests() | _moment_tests())


def trees_of(tests: st.SearchStrategy[Wish]) -> st.SearchStrategy[Wish]:
    """These by themselves, and joined by everything that joins them."""

    def nested(inner: st.SearchStrategy[Wish]) -> st.SearchStrategy[Wish]:
        several = st.lists(inner, min_size=1, max_size=4).map(tuple)
        return several.map(All) | several.map(Some) | inner.map(No)

    nothing: st.SearchStrategy[Wish] = st.sampled_from([All(()), Some(())])
    trees: st.SearchStrategy[Wish] = st.recursive(tests | tests | nothing, nested, max_leaves=8)
    return tests | trees
