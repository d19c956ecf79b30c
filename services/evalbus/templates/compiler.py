"""From text to a template: a direct look-up where one is meant, the sandbox for everything else."""

from jinja2 import nodes

from evalbus.errors import Invalid
from evalbus.templates.base import Template
from evalbus.templates.joined import Joined
from evalbus.templates.lookup import Lookup, Step, shown_steps
from evalbus.templates.sandbox import SHOWN_MAX, Sandboxed, parse

CHARACTERS_MAX = 1024 * 1024


def compile_template(text: str, *, characters_max: int = CHARACTERS_MAX) -> Template:
    """Raises Invalid for text that is no template, with the place in it. Runs nothing of it."""
    return _looked_up(text, characters_max) or Sandboxed(text, characters_max=characters_max)


def compile_plain_template(text: str, *, characters_max: int = CHARACTERS_MAX) -> Template:
    """Only look-ups and text between them, so that rendering is cheap and safe in any process; else Invalid."""
    template = _looked_up(text, characters_max)
    if template is None:
        raise Invalid(
            "only text and look-ups such as {{ item.field }} are possible here",
            {"found": text[:SHOWN_MAX]},
        )
    return template


def _looked_up(text: str, characters_max: int) -> Template | None:
    """The template if it takes no interpreter; None if it does."""
    match parse(text.strip()).body:
        case [nodes.Output(nodes=[node])] if steps := steps_of(node):
            return Lookup(text, steps)
        case _:
            pieces = _pieces(parse(text))
            return None if pieces is None else Joined(text, pieces, characters_max=characters_max)


def _pieces(tree: nodes.Template) -> list[str | Lookup] | None:
    """Text and look-ups in their order; None when there is anything else."""
    pieces: list[str | Lookup] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            return None
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                pieces.append(node.data)
            elif steps := steps_of(node):
                pieces.append(Lookup(f"{{{{ {shown_steps(steps)} }}}}", steps))
            else:
                return None
    return pieces


def steps_of(node: nodes.Node) -> tuple[Step, ...] | None:
    """A name and constant steps from it; None for any other expression."""
    backwards: list[Step] = []
    while not isinstance(node, nodes.Name):
        match node:
            case nodes.Getattr(node=inner, attr=attribute):
                step: object = attribute
            case nodes.Getitem(node=inner, arg=nodes.Const(value=step)):
                pass
            case nodes.Getitem(node=inner, arg=nodes.Neg(node=nodes.Const(value=int(from_end)))):
                step = -from_end
            case _:
                return None
        if isinstance(step, bool) or not isinstance(step, str | int):
            return None
        backwards.append(step)
        node = inner
    return (node.name, *reversed(backwards))
