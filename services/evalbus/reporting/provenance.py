"""What was run, so that somebody else can run it again: metrics with all they depend on, datasets, slices, parameters."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from evalbus.characters import cut
from evalbus.reporting.material import Material
from evalbus.reporting.parts import Part, figures
from evalbus.writing.names import bare
from evalbus.writing.tables import Cell, Table
from evalbus_schemas.scores import Signature

PARAMETERS_MAX: Final = 500


def provenance(material: Material) -> Sequence[Part]:
    return [
        *figures("Metrics", _metrics(material)),
        *figures("Datasets", _datasets(material)),
        *figures("Slices", _slices(material)),
        *figures("How the job ran", _parameters(material)),
        *figures("Which job this is", _names(material)),
    ]


def _metrics(material: Material) -> Table:
    """More than one line of a metric means that evaluators of different releases scored it."""
    results = material.result.results if material.result else ()
    signed = dict.fromkeys(
        (bare(result.metric), *_signature(signature))
        for result in results
        for signature in result.signatures
    )
    return Table(
        columns=("metric", "type", "version", "parameters", "libraries"), rows=list(signed)
    )


def _signature(signature: Signature) -> tuple[Cell, ...]:
    libraries = ", ".join(f"{name} {release}" for name, release in signature.libraries.items())
    return (signature.type, signature.version, _json(signature.parameters), libraries)


def _datasets(material: Material) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.dataset, each.rows, each.digest) for each in material.data
    ]
    return Table(columns=("dataset", "rows", "digest"), rows=rows)


def _slices(material: Material) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (str(each.get("name")), _json(each.get("where"))) for each in _listed(material, "slices")
    ]
    return Table(columns=("slice", "rows where"), rows=rows)


def _parameters(material: Material) -> Table:
    params = material.head.definition.get("params") if material.head else None
    rows: list[tuple[Cell, ...]] = [
        (name, _json(value))
        for name, value in (params if isinstance(params, dict) else {}).items()
        if value is not None
    ]
    return Table(columns=("parameter", "value"), rows=rows)


def _names(material: Material) -> Table:
    known = material.job or material.result
    rows: list[tuple[Cell, ...]] = [("job", material.name)]
    if known:
        rows += [("job id", str(known.job_id)), ("workspace", known.workspace)]
    if material.job:
        job = material.job
        rows += [("derived from", f"{job.derived_from} ({job.derivation})")] * bool(
            job.derived_from
        )
        rows += [("correlation id", job.correlation_id)] * bool(job.correlation_id)
    if material.result and material.result.created_by:
        rows += [("started by", material.result.created_by)]
    return Table(columns=("name", "value"), rows=rows)


def _listed(material: Material, name: str) -> Iterator[Mapping[str, JsonValue]]:
    listed = material.head.definition.get(name) if material.head else None
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict):
            yield each


def _json(value: JsonValue) -> str:
    return cut(json.dumps(value, ensure_ascii=False), PARAMETERS_MAX)
