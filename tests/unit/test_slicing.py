"""Which slices the rows of a stretch are in, and which slices are refused before there is a job."""

import re
from contextlib import closing
from typing import Any

import orjson
import pytest

from evalbus.datasets import open_dataset
from evalbus.errors import Invalid, OverLimit
from evalbus.filters.limits import COMPARISONS_MAX
from evalbus.producer.checking import PartChecks
from evalbus.producer.slice_fields import check_slice_fields
from evalbus.producer.slicing import Slicing
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import SLICES_MAX, Dataset, Slice
from evalbus_schemas.chunks import RowLimits
from tests.builders import a_benchmark


def a_slice(where: Any, name: str = "some") -> Slice:
    return Slice(name=name, where=where)


def items(*rows: JsonObject) -> list[bytes]:
    return [orjson.dumps(row) for row in rows]


def test_a_row_has_a_bit_for_each_slice_that_it_is_in() -> None:
    slicing = Slicing([a_slice("level:hard"), a_slice("steps > 4"), a_slice({"level": None})])

    found = slicing.memberships(
        items(
            {"level": "hard"},
            {"level": "hard", "steps": 5},
            {"level": "easy", "steps": 4},
            {"steps": 9},
            {},
        )
    )

    assert found == [0b001, 0b011, 0b000, 0b110, 0b100]


def test_as_many_slices_as_there_may_be_fit_into_a_number_of_the_database() -> None:
    slicing = Slicing([a_slice(f"n >= {place}") for place in range(SLICES_MAX)])

    (every,) = slicing.memberships(items({"n": 1000}))

    assert every == 2**SLICES_MAX - 1 <= 2**63 - 1


@pytest.mark.parametrize("item", [b"", b"{", b"\xff", b'{"level": "\\ud800"}'])
def test_a_row_whose_item_says_nothing_is_in_no_slice(item: bytes) -> None:
    assert Slicing([a_slice("-level:hard")]).memberships([item]) == [0]


def test_without_slices_nothing_is_kept_and_nothing_decoded() -> None:
    assert Slicing([]).memberships(iter([b"{"])) == ()


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ({"level": {"$lik": "x"}}, "slice 'some': level: unknown operator '$lik'; did you mean '$like'?"),
        ("level hard", "slice 'some': the filter cannot be understood at character 7"),
        ('{"level"', "slice 'some': the filter begins with { and is no JSON"),
        ("level < true", "slice 'some': item.level $lt: wanted a number or text"),
        ("", "slice 'some': its `where` says nothing; every row is in 'all' as it is"),
        ({}, "slice 'some': its `where` says nothing"),
    ],
)  # fmt: skip
def test_a_predicate_that_cannot_be_is_refused_with_the_name_of_the_slice(
    where: Any, says: str
) -> None:
    checks = PartChecks(limits=RowLimits(), allow_private=True)
    benchmark = a_benchmark().model_copy(update={"slices": (a_slice(where),)})

    with pytest.raises(Invalid, match=re.escape(says)):
        checks.benchmark(benchmark)


def test_a_predicate_has_the_limits_of_every_filter() -> None:
    checks = PartChecks(limits=RowLimits(), allow_private=True)
    bomb = a_slice({"$or": [{"level": "x"}] * (COMPARISONS_MAX + 1)})

    with pytest.raises(OverLimit, match="slice 'some': a filter has at most"):
        checks.benchmark(a_benchmark().model_copy(update={"slices": (bomb,)}))


ROWS: tuple[JsonObject, ...] = (
    {"level": "hard", "meta": {"source": "web"}, "steps": "12", "turns": [{"role": "user"}]},
    {"level": "easy", "flag": "true", "score": "n/a", "mixed": "1"},
    {"level": "easy", "score": None, "mixed": 1, "flat.name": 1},
)


@pytest.mark.parametrize(
    "where",
    [
        "level:hard",
        "item.level:hard",
        "meta.source:web",
        "meta.source:null",
        "turns.role:user",
        "flat.name:1",
        'steps:"12"',
        "steps IN [12, x]",
        "steps:null",
        "score > 5",
        "mixed > 5",
        "-flag:null",
    ],
)
def test_a_field_that_one_row_has_is_enough(where: str) -> None:
    check_slice_fields([a_slice(where)], [items(*ROWS[:1]), [b""], items(*ROWS[1:])])


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("levl:hard", "slice 'some': none of the first 3 rows has 'levl' in item; did you mean 'level'? (there are: level, meta,"),
        ("level:hard OR -(item.levl:hard)", "none of the first 3 rows has 'levl' in item; did you mean 'level'?"),
        ("meta.sorce:web", "none of the first 3 rows has 'sorce' in item.meta; did you mean 'source'? (there are: source)"),
        ("mta.source:web", "none of the first 3 rows has 'mta.source' in item; did you mean 'meta'?"),
        ("turns.rol:user", "'rol' in item.turns; did you mean 'role'? (there are: role)"),
        ("level.hard:1", "has 'level.hard' in item; did you mean 'level'?"),
        ("meta.source.kind:1", "has 'source.kind' in item.meta; did you mean 'source'?"),
        ("item:hard", "has 'item' in item (there are:"),
    ],
)  # fmt: skip
def test_a_field_that_no_row_has_is_refused_with_those_there_are(where: str, says: str) -> None:
    with pytest.raises(Invalid) as raised:
        check_slice_fields([a_slice("level:hard", "other"), a_slice(where)], [items(*ROWS)])

    assert says in raised.value.message


@pytest.mark.parametrize("where", ["steps > 5", {"steps": 12}, "steps IN [1, 2]", "-flag:true"])
def test_numbers_that_are_all_written_as_text_are_not_compared_in_silence(where: Any) -> None:
    with pytest.raises(
        Invalid, match=r"slice 'some': item\.\w+ is text in all rows .*`typed: true`"
    ):
        check_slice_fields([a_slice(where)], [items(*ROWS)])


def test_cells_of_a_typed_dataset_are_what_they_say(tmp_path: Any) -> None:
    (tmp_path / "rows.csv").write_text("steps,flag\n12,true\n3,false\n")

    def first(*, typed: bool) -> list[bytes]:
        dataset = Dataset(name="rows", source=str(tmp_path / "rows.csv"), typed=typed)
        with closing(open_dataset(dataset, roots=None, limits=RowLimits())) as reader:
            return [row.item for row in reader.read(10, 10_000)]

    long = [a_slice("steps > 5 flag:true")]

    with pytest.raises(Invalid, match="typed"):
        check_slice_fields(long, [first(typed=False)])
    check_slice_fields(long, [first(typed=True)])
    assert Slicing(long).memberships(first(typed=True)) == [1, 0]


def test_rows_over_the_size_limit_say_nothing_about_fields() -> None:
    check_slice_fields([a_slice("level:hard")], [[b"", b""]])
