"""JSON arrays cut into their elements: compared with a parser that reads them whole."""

import io
import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from evalbus.datasets import Position, Record
from evalbus.datasets.json import Json
from evalbus.errors import SourceBroken

TEXTS = st.text(st.sampled_from('a"\\[]{},:é\n '), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=3), max_size=4)
ARRAYS = st.builds(
    lambda rows, indent, is_ascii: json.dumps(rows, indent=indent, ensure_ascii=is_ascii).encode(),
    ROWS,
    st.sampled_from([None, 0, 3]),
    st.booleans(),
)


class Trickle(io.BytesIO):
    """A file of which no more than a few bytes come at once."""

    def __init__(self, content: bytes, at_once: int) -> None:
        super().__init__(content)
        self._at_once = at_once

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self._at_once)


def records(content: bytes, *, at_once: int, after: Position | None = None) -> list[Record]:
    file = Trickle(content, at_once)
    return list(Json().records(file, shown="rows", after=after or Position(), row_bytes=1_000_000))


@given(content=ARRAYS, at_once=st.integers(1, 20))
def test_elements_are_what_a_parser_finds_wherever_the_pieces_end(
    content: bytes, at_once: int
) -> None:
    # when
    found = records(content, at_once=at_once)

    # then
    assert [record.value for record in found] == orjson.loads(content)
    assert [orjson.loads(record.item) for record in found] == orjson.loads(content)
    for number, record in enumerate(found, start=1):
        after = Position(offset=record.offset, line=record.line)
        assert b"\n" not in record.item
        assert records(content, at_once=at_once, after=after) == found[number:]


@given(
    content=ARRAYS,
    damages=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(list(b'"\\{}[],: \nx\xff'))),
        min_size=1,
        max_size=3,
    ),
)
def test_a_damaged_array_is_read_just_when_a_parser_would(
    content: bytes, damages: list[tuple[float, int]]
) -> None:
    # given
    damaged = bytearray(content)
    for where, byte in damages:
        damaged[int(where * len(damaged))] = byte

    # when
    try:
        found = [record.value for record in records(bytes(damaged), at_once=7)]
    except SourceBroken:
        found = None

    # then
    try:
        expected = orjson.loads(damaged)
    except orjson.JSONDecodeError:
        expected = None
    is_array = isinstance(expected, list) and all(isinstance(row, dict) for row in expected)
    assert found == (expected if is_array else None)
