"""Filters as words: `name:"a" OR name~"b"`, `created_at>2026-01-01 -(dataset:"ws/old")`, `name IN ["a", "b"]`.

    either     = together ("OR" together)*
    together   = single (["AND"] single)*                     side by side means AND
    single     = ("-" | "NOT") single | "(" either ")" | comparison
    comparison = field (":" | "=" | "~" | ">" | ">=" | "<" | "<=") value | field ["NOT"] "IN" "[" value,* "]"
    field      = a bare word, or a JSON string
    value      = a JSON string, null, a number, or a bare word: up to the next space, quote, bracket or comma

`=` is equality, `:` too (in a search, containment), `~` containment; `:null` means that there is none. A bare word is a
number where the field is one; of an item's field, which may be anything, it is what it would be as JSON (`4`, `true`),
and else text: there "4" and "true" need their quotes to be text.
"""

import re

from pydantic import JsonValue

from evalbus.filters.building import Builder
from evalbus.filters.expression import And, Comparison, Expression, FieldPath, Not, Operator, Or
from evalbus.filters.fields import NUMBERS, FieldKind, Fields
from evalbus.filters.limits import VALUES_MAX
from evalbus.filters.scanner import Piece, Scanner, Sort

SIGNS = {
    "=": Operator.EQ,
    "~": Operator.LIKE,
    ">": Operator.GT,
    ">=": Operator.GTE,
    "<": Operator.LT,
    "<=": Operator.LTE,
}
WORDS = frozenset({"AND", "OR", "NOT", "IN"})
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,300}", re.ASCII)
CODE = re.compile(r"[+-]?0\d", re.ASCII)
"""How 007 begins, which counts nothing."""
TRUTHS = {"true": True, "false": False}


def parse(text: str, fields: Fields, *, bare: Operator) -> Expression:
    """Raises Invalid that says at which character it stopped understanding, or OverLimit."""
    return _Words(text, Builder(fields), bare).whole()


class _Words:
    """Reads the text once, from left to right."""

    def __init__(self, text: str, build: Builder, bare: Operator) -> None:
        self._pieces = Scanner(text)
        self._build = build
        self._bare = bare

    def whole(self) -> Expression:
        expression = self._either(0)
        last = self._pieces.peek()
        if last.sort is not Sort.END:
            raise self._pieces.lost("AND, OR or the end", last)
        return expression

    def _either(self, depth: int) -> Expression:
        parts = [self._together(depth)]
        while self._took(Sort.WORD, "OR"):
            parts.append(self._together(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _together(self, depth: int) -> Expression:
        parts = [self._single(depth)]
        while self._took(Sort.WORD, "AND") or not self._at_end_of_together():
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _at_end_of_together(self) -> bool:
        is_at_end = self._pieces.peek().sort is Sort.END
        return is_at_end or self._is(Sort.SIGN, ")") or self._is(Sort.WORD, "OR")

    def _single(self, depth: int) -> Expression:
        if self._pieces.took_minus() or self._took(Sort.WORD, "NOT"):
            return Not(self._single(self._build.inside(depth)))
        if self._took(Sort.SIGN, "("):
            inner = self._either(self._build.inside(depth))
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        field = self._field()
        if self._took(Sort.WORD, "NOT"):
            if not self._took(Sort.WORD, "IN"):
                raise self._pieces.lost("IN", self._pieces.peek())
            return self._build.comparison(field, Operator.NIN, self._list(field))
        if self._took(Sort.WORD, "IN"):
            return self._build.comparison(field, Operator.IN, self._list(field))
        sign = self._pieces.take()
        if sign.sort is not Sort.SIGN or sign.text not in (":", *SIGNS):
            raise self._pieces.lost(f"one of : {' '.join(SIGNS)} IN", sign)
        value = self._value(field)
        return self._build.comparison(field, self._operator(sign, value), value)

    def _operator(self, sign: Piece, value: JsonValue) -> Operator:
        if sign.text == ":":
            return self._bare if isinstance(value, str) else Operator.EQ
        return SIGNS[sign.text]

    def _field(self) -> FieldPath:
        piece = self._pieces.take()
        if piece.sort not in (Sort.WORD, Sort.STRING):
            raise self._pieces.lost("a field", piece)
        if piece.sort is Sort.WORD and piece.text.upper() in WORDS:
            raise self._pieces.lost("a field (AND, OR, NOT, IN are written large)", piece)
        return self._build.field(piece.text)

    def _list(self, field: FieldPath) -> list[JsonValue]:
        self._expect("[")
        values: list[JsonValue] = []
        while not self._is(Sort.SIGN, "]"):
            values.append(self._value(field))
            if len(values) > VALUES_MAX:
                # One too many is enough for the builder to refuse them.
                return values
            if not self._took(Sort.SIGN, ","):
                break
        self._expect("]")
        return values

    def _value(self, field: FieldPath) -> JsonValue:
        piece = self._pieces.take_value()
        if piece.sort is Sort.STRING:
            return piece.text
        if piece.sort is not Sort.WORD or piece.text in WORDS:
            raise self._pieces.lost("a value", piece)
        if piece.text == "null":
            return None
        return _bare(piece.text, self._build.kind(field))

    def _is(self, sort: Sort, text: str) -> bool:
        piece = self._pieces.peek()
        return piece.sort is sort and piece.text == text

    def _took(self, sort: Sort, text: str) -> bool:
        if not self._is(sort, text):
            return False
        self._pieces.take()
        return True

    def _expect(self, sign: str) -> None:
        if not self._took(Sort.SIGN, sign):
            raise self._pieces.lost(sign, self._pieces.peek())


def _bare(text: str, kind: FieldKind) -> JsonValue:
    """A word without quotes is a number only where the field can be one: a label may well be 7."""
    if kind is FieldKind.ITEM:
        return _as_json_has_it(text)
    return float(text) if kind in NUMBERS and NUMBER.fullmatch(text) else text


def _as_json_has_it(text: str) -> JsonValue:
    if CODE.match(text) or not NUMBER.fullmatch(text):
        return TRUTHS.get(text, text)
    # An integer as it is: long ones are ids, of which no two are the same.
    return int(text) if INTEGER.fullmatch(text) else float(text)
