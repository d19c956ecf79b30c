"""The examples in a metric's docstring as data: what was scored, and what came of it."""

import ast
import doctest
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from typing import Final, cast

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter

from evalbus_schemas.base import JsonObject

SCORING: Final = frozenset({"score_row", "corpus_of"})
"""The functions of evalbus.testing that an example calls; they take the metric first."""

_PARSER: Final = doctest.DocTestParser()
_JSON: Final = TypeAdapter[JsonValue](JsonValue)


class Example(BaseModel):
    """One call of an example: `given` has its arguments by name, `value` what it gives, null for NaN."""

    model_config = ConfigDict(frozen=True)

    plugin: JsonObject
    """As a benchmark file has it, without a name."""
    given: JsonObject
    value: JsonValue


def prose_of(documentation: str | None) -> str:
    """A docstring without its examples."""
    parts = _PARSER.parse(cleandoc(documentation or ""))
    texts = (part.strip("\n") for part in parts if isinstance(part, str))
    return "\n\n".join(text for text in texts if text.strip())


def examples_of(documentation: str | None) -> tuple[Example, ...]:
    """Those that are written out, in the call or in names before it; what needs code to be known is none."""
    names: dict[str, ast.expr] = {}
    found: list[Example] = []
    for part in _PARSER.parse(cleandoc(documentation or "")):
        if isinstance(part, doctest.Example):
            tree = _Written(names).visit(ast.parse(part.source))
            names |= _assigned(tree)
            found += _examples(tree, part.want.strip())
    return tuple(found)


def _assigned(tree: ast.AST) -> dict[str, ast.expr]:
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _examples(tree: ast.AST, want: str) -> Iterator[Example]:
    for call in _scoring_calls(tree):
        try:
            plugin, *_ = call.args
            yield Example(
                plugin=cast(JsonObject, _literal(plugin)),
                given={each.arg: _literal(each.value) for each in call.keywords if each.arg},
                value=_value(want),
            )
        except ValueError:
            continue


def _scoring_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in SCORING:
                yield node
            case _:
                pass


def _literal(node: ast.expr) -> JsonValue:
    """Raises ValueError for anything that is no JSON written in Python."""
    found: object = ast.literal_eval(node)
    return _JSON.validate_python(_lists(found))


def _value(want: str) -> JsonValue:
    """What a call printed; the text itself where that is no literal."""
    try:
        tree = _Written({"nan": ast.Constant(None)}).visit(ast.parse(want, mode="eval"))
        return _literal(cast(ast.Expression, tree).body)
    except (ValueError, SyntaxError):
        return want


def _lists(found: object) -> object:
    """JSON has no tuples."""
    match found:
        case tuple() | list():
            return [_lists(each) for each in cast("list[object]", found)]
        case dict():
            return {key: _lists(each) for key, each in cast("dict[object, object]", found).items()}
        case _:
            return found


class _Written(ast.NodeTransformer):
    """Puts what names stand for in their places."""

    def __init__(self, names: Mapping[str, ast.expr]) -> None:
        self._names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._names.get(node.id, node) if isinstance(node.ctx, ast.Load) else node
