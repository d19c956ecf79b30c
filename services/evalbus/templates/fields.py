"""Which fields of the item a template needs, found without running it."""

from jinja2 import nodes

from evalbus.templates.compiler import steps_of
from evalbus.templates.lookup import Step
from evalbus.templates.sandbox import SANDBOX, parse, refusing_what_is_no_template

Path = tuple[Step, ...]
"""Steps from the item to a value."""

GUARDS = frozenset({"default", "d"})
PRESENCE = frozenset({"defined", "undefined"})
PROVIDED = frozenset({"item", "sample", "loop", "caller", "varargs", "kwargs", "self"})
"""Names that mean something without a field of that name: ours, and Jinja's inside of loops and macros."""


def fields_used(text: str, *, not_fields: frozenset[str] = frozenset()) -> frozenset[Path]:
    """Every path into the item that must be there for the template to render.

    A bare name counts as a field of the item, unless it is in `not_fields` (the sample's own). A path whose absence
    the template itself provides for (`default`, `is defined`) is not needed, and one that depends on another value
    is cut where that begins.
    """
    with refusing_what_is_no_template(text):
        return _fields_used(parse(text), not_fields)


def _fields_used(tree: nodes.Template, not_fields: frozenset[str]) -> frozenset[Path]:
    # Jinja's own way to ask compiles the template, and so computes its constants, however large.
    names = list(tree.find_all(nodes.Name))
    own = {name.name for name in names if name.ctx != "load"}
    own |= {macro.name for macro in tree.find_all(nodes.Macro)}
    if "item" in own:
        return frozenset()  # `item` means something else in there
    free = {name.name for name in names} - own - set(SANDBOX.globals) - PROVIDED
    paths: set[Path] = set()
    _collect(tree, free - not_fields, paths)
    return frozenset(path for path in paths if path)


def _collect(node: nodes.Node, free: set[str], paths: set[Path]) -> None:
    match node:
        case nodes.Filter(name=name, node=nodes.Expr()) if name in GUARDS:
            _collect_all([*node.args, *(pair.value for pair in node.kwargs)], free, paths)
        case nodes.Test(name=name) if name in PRESENCE:
            pass
        case nodes.Call(node=nodes.Getattr(node=owner)):
            # `item.text.upper()`: the last step is a method, not a field.
            _collect(owner, free, paths)
            _collect_all([*node.args, *(pair.value for pair in node.kwargs)], free, paths)
        case nodes.Getattr() | nodes.Getitem() | nodes.Name():
            _collect_path(node, free, paths)
        case _:
            _collect_all(list(node.iter_child_nodes()), free, paths)


def _collect_all(
    children: list[nodes.Expr] | list[nodes.Node], free: set[str], paths: set[Path]
) -> None:
    for child in children:
        _collect(child, free, paths)


def _collect_path(node: nodes.Node, free: set[str], paths: set[Path]) -> None:
    steps = steps_of(node)
    if steps is None:
        _collect_all(list(node.iter_child_nodes()), free, paths)
    elif steps[0] == "item":
        paths.add(steps[1:])
    elif steps[0] in free:
        paths.add(steps)
