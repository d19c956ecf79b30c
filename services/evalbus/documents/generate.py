"""Which documents there are, and their bytes."""

from collections.abc import Mapping

import orjson
from pydantic import BaseModel, TypeAdapter

from evalbus.documents.asyncapi import CONTRACTS, asyncapi_document
from evalbus.documents.benchmark_file import benchmark_file_schema
from evalbus_schemas.base import JsonObject
from evalbus_schemas.openrpc import openrpc_document
from evalbus_schemas.queries import METHODS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def generate() -> dict[str, bytes]:
    """Every document by its file name; the same bytes from the same code."""
    documents: dict[str, JsonObject] = {
        "benchmark-file.schema.json": benchmark_file_schema(DIALECT),
        "asyncapi.json": asyncapi_document(),
        "openrpc.json": openrpc_document(),
    }
    for contract in CONTRACTS:
        documents[f"{contract.name}.schema.json"] = _schema(contract.model)
    for method in METHODS.values():
        documents[f"{method.name}.params.schema.json"] = _schema(method.params)
        documents[f"{method.name}.answer.schema.json"] = _schema(method.answer)
    return {name: _bytes(documents[name]) for name in sorted(documents)}


def _schema(model: type[BaseModel]) -> JsonObject:
    # What may be written, not what is printed: an answer's reader must bear fields with defaults left out.
    return {"$schema": DIALECT, **TypeAdapter(model).json_schema(mode="validation")}


def _bytes(document: Mapping[str, object]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
