"""From text to a template: a direct look-up where one is meant, the sandbox for everything else."""

from jinja2 import TemplateSyntaxError, nodes

from evalbus.errors import Invalid
from evalbus.templates.base import Template
from evalbus.templates.lookup import Lookup, Step
from evalbus.templates.sandbox import SANDBOX, Sandboxed

CHARACTERS_MAX = 1024 * 1024


def compile_template(text: str, *, characters_max: int = CHARACTERS_MAX) -> Template:
    """Raises Invalid for text that is no template, with the place in it."""
    steps = lone_lookup(parse(text.strip()))
    if steps is not None:
        return Lookup(text, steps)
    return Sandboxed(text, characters_max=characters_max)


def parse(text: str) -> nodes.Template:
    try:
        return SANDBOX.parse(text)
    except TemplateSyntaxError as error:
        raise Invalid(
            f"not a template: {error.message} (line {error.lineno})", {"found": text[:200]}
        ) from None
    except RecursionError:
        raise Invalid("not a template: too deeply nested", {"found": text[:200]}) from None


def lone_lookup(tree: nodes.Template) -> tuple[Step, ...] | None:
    """The steps of `{{ item.a.b }}`; None when there is anything else."""
    match tree.body:
        case [nodes.Output(nodes=[node])]:
            return steps_of(node)
        case _:
            return None


def steps_of(node: nodes.Node) -> tuple[Step, ...] | None:
    """A name and constant steps from it; None for any other expression."""
    match node:
        case nodes.Name(name=name):
            return (name,)
        case nodes.Getattr(node=inner, attr=attribute):
            step: object = attribute
        case nodes.Getitem(node=inner, arg=nodes.Const(value=step)):
            pass
        case nodes.Getitem(node=inner, arg=nodes.Neg(node=nodes.Const(value=int(from_end)))):
            step = -from_end
        case _:
            return None
    before = steps_of(inner)
    if before is None or isinstance(step, bool) or not isinstance(step, str | int):
        return None
    return (*before, step)
