"""Items that differ in everything they can be filtered by, and wishes about them, drawn from the same few values."""

from random import Random

from hypothesis import strategies as st
from pydantic import JsonValue

from tests.filterable import trees_of
from tests.filtering import Test, Wish

TEXTS = ["", "hard", "Hard", "HARDER", "4", "true", "null", "007", "7", "été", "ÉTÉ", "a%b", "a_b", "\x00", "2025-01-01T10:00:00Z"]  # fmt: skip
NUMBERS = [0, 1, -1, 4, 4.0, 0.5, 1e308, 5e-324, 2**53, 2**53 + 1, 2**63]
TRUTHS = [True, False]
SCALARS: list[JsonValue] = [*TEXTS, *NUMBERS, *TRUTHS]
PATHS = [
    *("level", "item", "item.level", "item.item", "meta", "meta.source", "item.meta.source"),
    *("meta.level", "turns.role", "turns.meta.source", "a b", "a b.level", "a.b", "a.b.level", "ключ"),
    *("level.level", "nowhere", "meta.nowhere", "name"),
]  # fmt: skip
KEYS = ["level", "item", "meta", "source", "turns", "role", "a b", "a.b", "meta.source", "ключ", "a", "b", "name"]  # fmt: skip


def some_items(count: int, *, seed: int = 1) -> list[dict[str, JsonValue]]:
    """The same ones every time."""
    chance = Random(seed)
    return [_an_object(chance, 3) for _ in range(count)]


def _an_object(chance: Random, depth: int) -> dict[str, JsonValue]:
    return {key: _a_value(chance, depth - 1) for key in chance.sample(KEYS, chance.randint(0, 8))}


def _a_value(chance: Random, depth: int) -> JsonValue:
    sort = chance.choice(["scalar", "scalar", "null", "list", "object", "object"])
    if sort == "null":
        return None
    if sort == "scalar" or depth == 0:
        return chance.choice(SCALARS)
    if sort == "list":
        return [_a_value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    return _an_object(chance, depth)


def _tests() -> st.SearchStrategy[Wish]:
    paths = st.sampled_from(PATHS)
    # What cannot be kept is refused; it may stand in an item all the same.
    texts = st.sampled_from([text for text in TEXTS if "\x00" not in text])
    scalars = texts | st.sampled_from([*NUMBERS, *TRUTHS]) | st.none()
    ordered = texts | st.sampled_from(NUMBERS)
    return st.one_of(
        st.builds(Test, paths, st.just("$eq"), scalars),
        st.builds(Test, paths, st.sampled_from(["$in", "$nin"]), st.lists(scalars, max_size=5)),
        st.builds(Test, paths, st.sampled_from(["$lt", "$lte", "$gt", "$gte"]), ordered),
        st.builds(Test, paths, st.just("$like"), texts),
    )


def wishes_about_items() -> st.SearchStrategy[Wish]:
    """Every operator on every type of value, nested."""
    return trees_of(_tests())
