"""Which fields of the item and of the sample a template needs, found without running it."""

from jinja2 import nodes

from evalbus.templates.compiler import steps_of
from evalbus.templates.lookup import Step
from evalbus.templates.sandbox import SANDBOX, parse, refusing_what_is_no_template

Path = tuple[Step, ...]
"""Steps to a value, from the item where nothing else is said."""

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


def sample_fields_used(text: str) -> frozenset[str]:
    """The same of the sample: the fields that are asked for as `sample.field`."""
    with refusing_what_is_no_template(text):
        return _sample_fields_used(parse(text))


def _fields_used(tree: nodes.Template, not_fields: frozenset[str]) -> frozenset[Path]:
    own = _own_names(tree)
    if "item" in own:
        return frozenset()  # `item` means something else in there
    names = {name.name for name in tree.find_all(nodes.Name)}
    free = names - own - set(SANDBOX.globals) - PROVIDED - not_fields
    found = _paths_from(tree, free | {"item"})
    paths = (path[1:] if path[0] == "item" else path for path in found)
    return frozenset(path for path in paths if path)


def _sample_fields_used(tree: nodes.Template) -> frozenset[str]:
    if "sample" in _own_names(tree):
        return frozenset()
    found = _paths_from(tree, {"sample"})
    return frozenset(str(path[1]) for path in found if len(path) > 1)


def _own_names(tree: nodes.Template) -> set[str]:
    """What the template itself gives a meaning."""
    # Jinja's own way to ask compiles the template, and so computes its constants, however large.
    own = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    return own | {macro.name for macro in tree.find_all(nodes.Macro)}


def _paths_from(tree: nodes.Template, roots: set[str]) -> set[Path]:
    """Every path that begins with one of these names, the name included."""
    paths: set[Path] = set()
    _collect(tree, roots, paths)
    return paths


def _collect(node: nodes.Node, roots: set[str], paths: set[Path]) -> None:
    match node:
        case nodes.Filter(name=name, node=nodes.Expr()) if name in GUARDS:
            _collect_all([*node.args, *(pair.value for pair in node.kwargs)], roots, paths)
        case nodes.Test(name=name) if name in PRESENCE:
            pass
        case nodes.Call(node=nodes.Getattr(node=owner)):
            # `item.text.upper()`: the last step is a method, not a field.
            _collect(owner, roots, paths)
            _collect_all([*node.args, *(pair.value for pair in node.kwargs)], roots, paths)
        case nodes.Getattr() | nodes.Getitem() | nodes.Name():
            _collect_path(node, roots, paths)
        case _:
            _collect_all(list(node.iter_child_nodes()), roots, paths)


def _collect_all(
    children: list[nodes.Expr] | list[nodes.Node], roots: set[str], paths: set[Path]
) -> None:
    for child in children:
        _collect(child, roots, paths)


def _collect_path(node: nodes.Node, roots: set[str], paths: set[Path]) -> None:
    steps = steps_of(node)
    if steps is None:
        _collect_all(list(node.iter_child_nodes()), roots, paths)
    elif steps[0] in roots:
        paths.add(steps)
