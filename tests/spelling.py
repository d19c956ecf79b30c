"""The same filter in each of its spellings; where there is a choice of words, chance chooses."""

import json
from collections.abc import Sequence
from random import Random
from typing import Literal

from pydantic import JsonValue

from tests.filtering import All, No, Some, Test, Wish

Use = Literal["filter", "search", "slice"]

SIGNS = {"$like": "~", "$lt": "<", "$lte": "<=", "$gt": ">", "$gte": ">="}


def as_mapping(wish: Wish, use: Use, chance: Random) -> dict[str, JsonValue]:
    match wish:
        case All(parts):
            if chance.random() < 0.3 and (merged := _side_by_side(parts, use, chance)):
                return merged
            return {"$and": [as_mapping(part, use, chance) for part in parts]}
        case Some(parts):
            fields = {part.field for part in parts if isinstance(part, Test)}
            if len(fields) == 1 and all(isinstance(part, Test) for part in parts):
                # Inside the field, where all parts are about one.
                inner: list[JsonValue] = [_inside(part, use, chance) for part in parts]
                return {fields.pop(): {"$or": inner}}
            return {"$or": [as_mapping(part, use, chance) for part in parts]}
        case No(Test(field) as part) if chance.random() < 0.5:
            return {field: {"$not": _inside(part, use, chance)}}
        case No(part):
            return {"$not": as_mapping(part, use, chance)}
        case Test(field):
            return {field: _inside(wish, use, chance)}


def _side_by_side(parts: Sequence[Wish], use: Use, chance: Random) -> dict[str, JsonValue]:
    """Empty if they are not about a different field each."""
    merged = {part.field: _inside(part, use, chance) for part in parts if isinstance(part, Test)}
    return merged if len(merged) == len(parts) else {}


def _inside(wish: Wish, use: Use, chance: Random) -> JsonValue:
    assert isinstance(wish, Test)
    text_means = "$like" if use == "search" else "$eq"
    bare = text_means if isinstance(wish.value, str) else "$eq"
    if wish.operator == bare and chance.random() < 0.5:
        return wish.value
    return {wish.operator: wish.value}


def as_json(wish: Wish, use: Use, chance: Random) -> str:
    text = json.dumps(as_mapping(wish, use, chance), ensure_ascii=chance.random() < 0.5)
    return chance.choice(["", " ", "\n\t"]) + text


def as_words(wish: Wish, use: Use, chance: Random) -> str:
    match wish:
        case All(()):
            return "name NOT IN []"
        case Some(()):
            return "name IN [ ]"
        case All(parts):
            together = chance.choice([" ", " AND "])
            return together.join(_in_parentheses(part, use, chance) for part in parts)
        case Some(parts):
            return " OR ".join(_in_parentheses(part, use, chance) for part in parts)
        case No(part):
            return chance.choice(["-", "- ", "NOT "]) + _in_parentheses(part, use, chance)
        case Test():
            return _test(wish, use, chance)


def _in_parentheses(wish: Wish, use: Use, chance: Random) -> str:
    words = as_words(wish, use, chance)
    if isinstance(wish, Test) and chance.random() < 0.7:
        return words
    return f"({words})" if chance.random() < 0.7 else f"( {words} )"


def _test(wish: Test, use: Use, chance: Random) -> str:
    # A field of letters and dots stands by itself; a label's key may be anything.
    plain = wish.field.replace("_", "").replace(".", "").replace("-", "").replace("/", "")
    field = wish.field if plain.isascii() and plain.isalnum() else _quoted(wish.field, chance)
    if wish.operator in ("$in", "$nin"):
        assert isinstance(wish.value, list)
        values = chance.choice([",", ", "]).join(_value(value, use, chance) for value in wish.value)
        return f"{field} {'IN' if wish.operator == '$in' else 'NOT IN'} [{values}]"
    signs = [SIGNS[wish.operator]] if wish.operator in SIGNS else ["="]
    text_means = "$like" if use == "search" else "$eq"
    if wish.operator == (text_means if isinstance(wish.value, str) else "$eq"):
        signs.append(":")
    space = chance.choice(["", " "])
    return f"{field}{space}{chance.choice(signs)}{space}{_value(wish.value, use, chance)}"


def _value(value: JsonValue, use: Use, chance: Random) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if use == "slice" and (value in ("true", "false") or _is_number(value)):
        return _quoted(value, chance)
    if value.replace(":", "").replace("-", "").isalnum() and value.upper() not in WORDS:
        return value if chance.random() < 0.5 else _quoted(value, chance)
    return _quoted(value, chance)


WORDS = {"AND", "OR", "NOT", "IN", "NULL"}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _quoted(text: str, chance: Random) -> str:
    return json.dumps(text, ensure_ascii=chance.random() < 0.5)
