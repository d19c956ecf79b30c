"""Filters as words: `name:"a" OR name~"b"`, `created_at>"2026-01-01" -(dataset:"ws/old")`, `name IN ["a", "b"]`.

    either     = together ("OR" together)*
    together   = single (["AND"] single)*                     side by side means AND
    single     = ("-" | "NOT") single | "(" either ")" | comparison
    comparison = field (":" | "~" | ">" | ">=" | "<" | "<=") value | field ["NOT"] "IN" "[" value,* "]"
    value      = a JSON string, a number, null, or a bare word

`:` is equality (for a bare search, containment), `~` containment, `:null` means that there is none.
"""

import re
from typing import NamedTuple

import orjson
from pydantic import JsonValue

from evalbus.errors import Invalid
from evalbus.filters.building import Builder
from evalbus.filters.expression import And, Comparison, Expression, Not, Operator, Or
from evalbus.filters.fields import Fields

TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<sign>>=|<=|[:~<>()\[\],])
      | (?P<minus>-(?=[\s("A-Za-z]))
      | (?P<word>[^\s"():~<>\[\],]+)
    )""",
    re.VERBOSE,
)

SIGNS = {
    "~": Operator.LIKE,
    ">": Operator.GT,
    ">=": Operator.GTE,
    "<": Operator.LT,
    "<=": Operator.LTE,
}
NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")


class Token(NamedTuple):
    kind: str
    text: str
    at: int


def parse(text: str, fields: Fields, *, bare: Operator) -> Expression:
    """Raises Invalid that says at which character it stopped understanding."""
    reader = _Words(_tokens(text), Builder(fields), bare)
    expression = reader.either(0)
    reader.expect_end()
    return expression


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = TOKEN.match(text, at)
        if match is None:
            raise Invalid(
                f"the filter cannot be understood at character {at + 1}: {text[at : at + 20]!r}"
            )
        kind = match.lastgroup
        assert kind, "every alternative is named"
        tokens.append(Token(kind, match[kind], match.start(kind)))
        at = match.end()
    tokens.append(Token("end", "", end))
    return tokens


class _Words:
    """Reads the tokens once, from left to right."""

    def __init__(self, tokens: list[Token], build: Builder, bare: Operator) -> None:
        self._tokens = tokens
        self._build = build
        self._bare = bare
        self._next = 0

    def either(self, depth: int) -> Expression:
        depth = self._build.deeper(depth)
        parts = [self._together(depth)]
        while self._took_word("OR"):
            parts.append(self._together(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def expect_end(self) -> None:
        if self._peek().kind != "end":
            raise self._lost("the end")

    def _together(self, depth: int) -> Expression:
        parts = [self._single(depth)]
        while not self._ends_together():
            self._took_word("AND")
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _ends_together(self) -> bool:
        token = self._peek()
        return token.kind == "end" or token.text == ")" or self._is_word("OR")

    def _single(self, depth: int) -> Expression:
        if self._peek().kind == "minus" or self._is_word("NOT"):
            self._take()
            return Not(self._single(self._build.deeper(depth)))
        if self._peek().text == "(" and self._peek().kind == "sign":
            self._take()
            inner = self.either(depth)
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Comparison:
        field = self._take()
        if field.kind != "word":
            raise self._lost("a field", field)
        if self._took_word("NOT"):
            if not self._took_word("IN"):
                raise self._lost("IN")
            return self._build.comparison(field.text, Operator.NIN, self._list())
        if self._took_word("IN"):
            return self._build.comparison(field.text, Operator.IN, self._list())
        sign = self._take()
        if sign.kind == "sign" and sign.text == ":":
            value = self._value()
            operator = self._bare if isinstance(value, str) else Operator.EQ
            return self._build.comparison(field.text, operator, value)
        if sign.kind != "sign" or sign.text not in SIGNS:
            raise self._lost("one of : ~ > >= < <= IN", sign)
        return self._build.comparison(field.text, SIGNS[sign.text], self._value())

    def _list(self) -> list[JsonValue]:
        self._expect("[")
        values: list[JsonValue] = []
        while self._peek().text != "]" or self._peek().kind != "sign":
            values.append(self._value())
            if self._peek().text != ",":
                break
            self._take()
        self._expect("]")
        return values

    def _value(self) -> JsonValue:
        token = self._take()
        if token.kind == "string":
            try:
                found: JsonValue = orjson.loads(token.text)
            except orjson.JSONDecodeError:
                raise self._lost("a JSON string", token) from None
            return found
        if token.kind != "word":
            raise self._lost("a value", token)
        if token.text == "null":
            return None
        return float(token.text) if NUMBER.fullmatch(token.text) else token.text

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next = min(self._next + 1, len(self._tokens) - 1)
        return token

    def _is_word(self, word: str) -> bool:
        return self._peek().kind == "word" and self._peek().text == word

    def _took_word(self, word: str) -> bool:
        if not self._is_word(word):
            return False
        self._take()
        return True

    def _expect(self, sign: str) -> None:
        token = self._take()
        if token.kind != "sign" or token.text != sign:
            raise self._lost(sign, token)

    def _lost(self, wanted: str, token: Token | None = None) -> Invalid:
        found = token or self._peek()
        shown = found.text[:30] or "the end"
        return Invalid(
            f"the filter cannot be understood at character {found.at + 1}: "
            f"wanted {wanted}, found {shown!r}",
            {"wanted": wanted, "found": shown},
        )
