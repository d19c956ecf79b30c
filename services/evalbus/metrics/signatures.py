"""What the values of a metric depend on beside the row, so that it can be told which of them may be compared."""

from importlib.metadata import PackageNotFoundError, version

import orjson

from evalbus.metrics.base import Metric
from evalbus_schemas.benchmark import Plugin
from evalbus_schemas.scores import Signature

UNKNOWN_RELEASE = "unknown"


def signature_of(plugin: Plugin, metric: Metric) -> Signature:
    """Of a plug-in and the metric that was built from it; releases are those of this process.

    A parameter that changes no value is declared with `exclude=True`, and is left out.
    """
    parameters = metric.Parameters.model_validate_json(orjson.dumps(plugin.parameters))
    return Signature(
        type=plugin.type,
        version=metric.version,
        parameters=parameters.model_dump(mode="json", by_alias=True),
        libraries={name: release_of(name) or UNKNOWN_RELEASE for name in sorted(metric.libraries)},
    )


def release_of(distribution: str) -> str | None:
    """None for one that is not installed here."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
