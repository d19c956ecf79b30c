"""The schema of the benchmark file for editors: each model and metric type with the parameters that it declares."""

from inspect import cleandoc
from typing import TypeVar, cast

from pydantic import JsonValue

from evalbus.metrics import METRICS
from evalbus.models import MODELS
from evalbus.registry import PlugIn, Table
from evalbus_schemas.base import JsonObject
from evalbus_schemas.benchmark import BenchmarkFile, MetricPlugin, Plugin
from evalbus_schemas.names import REFERENCE_PATTERN

P = TypeVar("P", bound=PlugIn)


def benchmark_file_schema(dialect: str) -> JsonObject:
    """What an editor needs to complete and to check a file, with the types that are installed here."""
    schema = BenchmarkFile.model_json_schema()
    definitions = cast(JsonObject, schema.pop("$defs"))
    properties = _properties(schema)
    for key, choice in (
        ("models", _choice(MODELS, Plugin, definitions)),
        ("metrics", _choice(METRICS, MetricPlugin, definitions)),
    ):
        cast(JsonObject, properties[key])["items"] = choice
    return {
        "$schema": dialect,
        **schema,
        "title": "evalbus benchmark file",
        "$defs": {key: definitions[key] for key in sorted(definitions)},
    }


def _choice(table: Table[P], contract: type[Plugin], definitions: JsonObject) -> JsonObject:
    """One of the table's types, or something saved; definitions that their parameters need are added to the file's."""
    common: JsonObject = {}
    for key, described in _properties(cast(JsonObject, definitions.pop(contract.__name__))).items():
        # Once, and not with each of the types.
        definitions[f"{contract.__name__}.{key}"] = described
        common[key] = {"$ref": f"#/$defs/{contract.__name__}.{key}"}
    return {
        "oneOf": [
            *(
                _alternative(
                    type_name,
                    table.find(type_name),
                    common,
                    definitions,
                    # A model and a metric may have types of the same name.
                    prefix=f"{table.group.rpartition('.')[2]}.{type_name}.",
                )
                for type_name in table.known()
            ),
            {
                "title": "saved",
                "description": "What is saved under this name, as it is when the benchmark is saved or started.",
                "type": "string",
                "pattern": REFERENCE_PATTERN,
            },
        ]
    }


def _alternative(
    type_name: str,
    plugin: type[PlugIn],
    common: JsonObject,
    definitions: JsonObject,
    *,
    prefix: str,
) -> JsonObject:
    schema = plugin.Parameters.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
    for key, definition in cast(JsonObject, schema.get("$defs", {})).items():
        definitions[prefix + key] = definition
    # An editor shows it beside the key; examples in Python are of no use there.
    described = cleandoc(plugin.__doc__ or type_name).partition(">>>")[0].strip()
    return {
        "title": type_name,
        "description": described,
        "type": "object",
        "properties": {
            **common,
            "type": {"const": type_name, "description": described},
            **_properties(schema),
        },
        "required": ["name", "type", *cast(list[JsonValue], schema.get("required", []))],
        "additionalProperties": False,
    }


def _properties(schema: JsonObject) -> JsonObject:
    return cast(JsonObject, schema.get("properties", {}))
