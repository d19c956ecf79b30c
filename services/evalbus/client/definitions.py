"""The lists of a Benchmark object as the benchmark file that they stand for."""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import BaseModel

from evalbus.errors import Invalid
from evalbus_schemas.catalogue import Entry
from evalbus_schemas.names import reference


def written_benchmark(
    name: str,
    description: str,
    *,
    datasets: Sequence[object],
    models: Sequence[object],
    metrics: Sequence[object],
    workspace: str,
) -> dict[str, object]:
    """The document, not yet validated; raises Invalid for what is no definition."""
    return {
        "name": name,
        "description": description,
        "datasets": [_definition("dataset", each, workspace) for each in datasets],
        "models": [_definition("model", each, workspace) for each in models],
        "metrics": [_definition("metric", each, workspace) for each in metrics],
    }


def _definition(kind: str, thing: object, workspace: str) -> object:
    match thing:
        case str():
            # What is only named is looked up by the service.
            return thing if "/" in thing else reference(workspace, thing)
        case Entry():
            return thing.definition
        case BaseModel():
            return thing.model_dump(mode="json")
        case Mapping():
            return dict(cast("Mapping[str, object]", thing))
        case _:
            raise Invalid(
                f"an object of type {type(thing).__name__} is no {kind} that can be run: give a dict or model as in a"
                " benchmark file, a saved entry, or the name of one",
                {"wanted": kind, "found": type(thing).__name__},
            )
