"""The methods of the RPC as an OpenRPC 1.3 document: what `rpc.discover` answers."""

from collections.abc import Iterable
from typing import Final, cast

from pydantic import BaseModel, JsonValue
from pydantic.json_schema import models_json_schema

from evalbus_schemas.base import JsonObject
from evalbus_schemas.queries import METHODS, Method
from evalbus_schemas.rpc import ErrorCode

CONTRACT_VERSION: Final = "1.0.0"
SCHEMA_PLACE: Final = "#/components/schemas/{model}"

MEANINGS: Final[dict[ErrorCode, str]] = {
    ErrorCode.PARSE_ERROR: "The body is not JSON.",
    ErrorCode.INVALID_REQUEST: "The body is JSON and no request.",
    ErrorCode.METHOD_NOT_FOUND: "There is no such method.",
    ErrorCode.INVALID: "The parameters or the benchmark are wrong; `data` names the place.",
    ErrorCode.INTERNAL: "The service failed; the log says more.",
    ErrorCode.NOT_ALLOWED: "The caller may not do this.",
    ErrorCode.NOT_FOUND: "There is nothing of that name.",
    ErrorCode.CONFLICT: "The name or the idempotency key is taken by something else.",
    ErrorCode.OVER_LIMIT: "A limit is reached; `data` names it.",
    ErrorCode.UNAVAILABLE: "A server that is needed is away; try again.",
}


def openrpc_document(methods: Iterable[Method] = METHODS.values()) -> JsonObject:
    """The document for these methods; the same one for the same methods."""
    methods = tuple(methods)
    models = {model for method in methods for model in (method.params, method.answer)}
    schemas = schemas_of(models)
    return {
        "openrpc": "1.3.2",
        "info": {
            "title": "evalbus",
            "version": CONTRACT_VERSION,
            "description": (
                "JSON-RPC 2.0 over AMQP: publish the request to the exchange evalbus.rpc, with the key given by"
                " x-routing-key, a reply_to and a correlation_id."
            ),
        },
        "methods": [_method(method, schemas) for method in methods],
        "components": {
            "schemas": schemas,
            "errors": {code.name: _error(code) for code in ErrorCode},
        },
    }


def schemas_of(models: Iterable[type[BaseModel]]) -> dict[str, JsonValue]:
    """The JSON Schemas of these models and of all that they contain, each once, by name."""
    ordered = sorted(models, key=lambda model: model.__name__)
    _, found = models_json_schema(
        [(model, "validation") for model in ordered], ref_template=SCHEMA_PLACE
    )
    definitions = cast(dict[str, JsonValue], found["$defs"])
    return {name: definitions[name] for name in sorted(definitions)}


def _method(method: Method, schemas: dict[str, JsonValue]) -> JsonObject:
    codes = [{"$ref": f"#/components/errors/{code.name}"} for code in ErrorCode]
    return {
        "name": method.name,
        "summary": method.summary,
        "description": (method.params.__doc__ or "").strip(),
        "paramStructure": "by-name",
        "params": _parameters(method.params, schemas),
        "result": {
            "name": method.answer.__name__,
            "schema": {"$ref": SCHEMA_PLACE.format(model=method.answer.__name__)},
        },
        "errors": cast(JsonValue, codes),
        "x-kind": method.kind,
        "x-routing-key": "commands" if method.kind == "command" else "queries",
    }


def _parameters(model: type[BaseModel], schemas: dict[str, JsonValue]) -> JsonValue:
    schema = cast(JsonObject, schemas[model.__name__])
    properties = cast(JsonObject, schema.get("properties", {}))
    return [
        {"name": name, "required": field.is_required(), "schema": properties[name]}
        for name, field in model.model_fields.items()
    ]


def _error(code: ErrorCode) -> JsonObject:
    return {"code": int(code), "message": MEANINGS[code]}
