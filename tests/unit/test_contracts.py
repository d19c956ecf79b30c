"""The wire contract: what was valid once stays valid, and the documents say what the code does."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from evalbus.bus import topology
from evalbus.documents import generate
from evalbus.documents.asyncapi import CONTRACTS
from evalbus.errors import Refused
from evalbus.metrics import METRICS
from evalbus.models import MODELS
from evalbus_schemas import cloudevents
from evalbus_schemas.base import Closed, Open
from evalbus_schemas.benchmark import Benchmark
from evalbus_schemas.openrpc import openrpc_document
from evalbus_schemas.queries import METHODS
from evalbus_schemas.rpc import ErrorCode

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "v1"
DOCUMENTS = ROOT / "schemas" / "json"

MODELS_BY_FILE: dict[str, type[BaseModel]] = {
    **{contract.name: contract.model for contract in CONTRACTS},
    **{f"{method.name}.answer": method.answer for method in METHODS.values()},
    "benchmark-file": Benchmark,
}


BODIES = sorted(re.sub(r"\.(nd)?json$", "", file.name) for file in GOLDEN.iterdir())
"""By contract, and `contract~what` for further bodies of it, with what came to it later."""


def contract(body: str) -> str:
    return body.partition("~")[0]


def golden(name: str) -> bytes:
    """The body as it lies there; of NDJSON the first line, which is the contract."""
    for suffix in (".json", ".ndjson"):
        file = GOLDEN / (name + suffix)
        if file.exists():
            body = file.read_bytes()
            return body if suffix == ".json" else body.partition(b"\n")[0]
    raise AssertionError(f"no golden body for {name}: write one into {GOLDEN}")


def read(name: str) -> Any:
    return json.loads((DOCUMENTS / name).read_text())


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_version_1_parses_for_ever(name: str) -> None:
    model = MODELS_BY_FILE[contract(name)]

    parsed = model.model_validate_json(golden(name))

    again = model.model_validate_json(parsed.model_dump_json())
    assert again == parsed


@pytest.mark.parametrize("name", BODIES)
def test_a_body_of_version_1_matches_the_published_schema(name: str) -> None:
    schema = read(f"{contract(name)}.schema.json")

    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(golden(name)))


def test_every_golden_body_belongs_to_a_contract() -> None:
    assert {contract(body) for body in BODIES} == set(MODELS_BY_FILE)
    assert set(MODELS_BY_FILE) <= set(BODIES)


@pytest.mark.parametrize("name", sorted(MODELS_BY_FILE))
def test_an_unknown_field_is_refused_from_people_and_ignored_between_services(name: str) -> None:
    model = MODELS_BY_FILE[name]
    body = json.loads(golden(name)) | {"added_later": 1}

    if issubclass(model, Closed):
        with pytest.raises(ValidationError, match="added_later"):
            model.model_validate_json(json.dumps(body))
    else:
        assert issubclass(model, Open)
        assert model.model_validate_json(json.dumps(body)) == model.model_validate_json(
            golden(name)
        )


def test_what_people_write_is_closed_and_what_services_tell_each_other_is_open() -> None:
    closed = {name for name, model in MODELS_BY_FILE.items() if issubclass(model, Closed)}

    assert closed == {"benchmark-file", cloudevents.START_BENCHMARK, cloudevents.RPC_REQUEST}
    assert all(issubclass(method.params, Closed) for method in METHODS.values())


@pytest.mark.parametrize("value", ['"5"', "5.0", "true"])
def test_a_number_is_not_guessed_from_something_else(value: str) -> None:
    body = golden("benchmark-file").replace(b"100", value.encode())

    with pytest.raises(ValidationError, match=r"params\.limit_samples"):
        Benchmark.model_validate_json(body)


def test_the_committed_documents_are_those_of_the_code() -> None:
    made = generate()

    assert {path.name: path.read_bytes() for path in DOCUMENTS.iterdir()} == made, (
        "run `evalbus schemas --write schemas/json` and commit what changed: it is a change of contract"
    )


def test_every_document_is_a_valid_schema_and_every_reference_leads_somewhere() -> None:
    for file in sorted(DOCUMENTS.iterdir()):
        document = json.loads(file.read_text())
        if file.name.endswith(".schema.json"):
            Draft202012Validator.check_schema(document)
        for reference in references(document):
            assert resolves(document, reference), f"{file.name}: {reference}"


def test_an_editor_knows_the_parameters_of_every_type() -> None:
    schema = read("benchmark-file.schema.json")
    validator = Draft202012Validator(schema)
    file = json.loads(golden("benchmark-file"))

    for key, table in (("models", MODELS), ("metrics", METRICS)):
        types = [
            each["properties"]["type"]["const"]
            for each in schema["properties"][key]["items"]["oneOf"]
            if each["type"] == "object"
        ]
        assert types == table.known()
    validator.validate(file)
    validator.validate(file | {"datasets": ["team/rows"], "metrics": ["team/exact"]})
    assert not validator.is_valid(file | {"metrics": ["exact"]})
    file["metrics"][0]["normalise"] = "squad"
    assert not validator.is_valid(file)


def test_openrpc_describes_every_method_and_every_error() -> None:
    document = read("openrpc.json")

    assert document == openrpc_document()
    assert document["openrpc"].startswith("1.3")
    assert [method["name"] for method in document["methods"]] == list(METHODS)
    codes = {error["code"] for error in document["components"]["errors"].values()}
    assert codes == {int(code) for code in ErrorCode}
    assert {kind.code for kind in all_subclasses(Refused)} <= codes
    for method in document["methods"]:
        names = {param["name"] for param in method["params"]}
        assert names == set(METHODS[method["name"]].params.model_fields)
        for param in method["params"]:
            schema = {**param["schema"], "components": document["components"]}
            Draft202012Validator.check_schema(schema)


def test_asyncapi_describes_every_queue_and_every_message() -> None:
    document = read("asyncapi.json")
    channels = document["channels"]

    for queue in topology.QUEUES:
        channel = channels[queue.name]
        assert channel["address"] == (queue.key or queue.name)
        assert channel["bindings"]["amqp"]["exchange"]["name"] == queue.exchange.name
        assert channel["x-queue"]["name"] == queue.name
    told = {
        value
        for name, value in vars(cloudevents).items()
        if name.isupper() and isinstance(value, str) and value.startswith("evalbus.")
    }
    assert set(document["components"]["messages"]) == told
    carried = {name for channel in channels.values() for name in channel["messages"]}
    assert carried == told


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolves(document: Any, reference: str) -> bool:
    assert reference.startswith("#/"), reference
    for step in reference[2:].split("/"):
        if step not in document:
            return False
        document = document[step]
    return True


def all_subclasses(kind: type[Refused]) -> set[type[Refused]]:
    return {kind, *(found for child in kind.__subclasses__() for found in all_subclasses(child))}
