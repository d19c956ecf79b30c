"""What stands around the code: locks, front doors, containers and the example say what they promise."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from evalbus.client.benchmark_file import load_benchmark

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = CHECKOUT / "deploy" / "locks"
EXAMPLES = CHECKOUT / "deploy" / "examples"
OURS = ("migrate", "producer", "evaluator", "results", "cli")


def compose() -> Any:
    return YAML(typ="safe").load(CHECKOUT / "docker-compose.yml")["services"]


def manifests() -> list[Any]:
    folder = CHECKOUT / "deploy" / "kubernetes"
    named = YAML(typ="safe").load(folder / "kustomization.yaml")["resources"]
    return [YAML(typ="safe").load(folder / name) for name in named]


def required(group: str) -> set[str]:
    """The names of the packages that pyproject.toml asks for."""
    document = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    project = document["project"]
    wanted: list[str] = {
        "runtime": [*project["dependencies"], *document["dependency-groups"]["build"]],
        "dev": document["dependency-groups"]["dev"],
    }[group]
    return {re.split(r"[^A-Za-z0-9._-]", each)[0].lower().replace(".", "-") for each in wanted}


def locked(name: str) -> dict[str, list[str]]:
    """Package and its hashes."""
    found: dict[str, list[str]] = {}
    package = ""
    for line in (LOCKS / name).read_text().splitlines():
        if line.startswith(" "):
            found[package] += re.findall(r"--hash=sha256:([0-9a-f]{64})", line)
        else:
            package = line.partition("==")[0]
            found.setdefault(package, [])
    return found


@pytest.mark.parametrize("lock", ["runtime.lock", "dev.lock"])
def test_a_lock_has_hashes_for_everything_and_names_no_host(lock: str) -> None:
    packages = locked(lock)

    assert packages.keys() >= required("runtime")
    assert all(packages.values())
    assert "://" not in (LOCKS / lock).read_text()


def test_tools_are_locked_for_development_only() -> None:
    assert locked("dev.lock").keys() >= required("dev")
    assert locked("runtime.lock").keys().isdisjoint(required("dev"))


@pytest.mark.parametrize(
    "door", ["deploy/quickstart", "deploy/find-python", "tests/run", ".ci/run"]
)
def test_a_front_door_can_be_started(door: str) -> None:
    assert os.access(CHECKOUT / door, os.X_OK)


def test_compose_publishes_ports_on_loopback_only() -> None:
    ports = [port for service in compose().values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_in_compose_everything_but_the_one_shots_has_a_health_check() -> None:
    services = compose()

    one_shots = {
        name
        for name, service in services.items()
        if service.get("healthcheck", {}).get("disable", False)
    }
    assert one_shots == {"migrate", "cli"}
    assert "HEALTHCHECK" in (CHECKOUT / "Dockerfile").read_text()
    assert all("healthcheck" in services[name] for name in ("rabbitmq", "postgres"))


def test_in_compose_evaluators_come_in_twos_and_know_no_database() -> None:
    evaluator = compose()["evaluator"]

    assert evaluator["deploy"]["replicas"] == 2
    assert set(evaluator["environment"]) == {"EVALBUS_AMQP_URL"}


@pytest.mark.parametrize("service", OURS)
def test_in_compose_our_containers_may_do_next_to_nothing(service: str) -> None:
    settings = compose()[service]

    assert settings["read_only"] is True
    assert settings["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in settings["security_opt"]


def test_in_compose_the_example_lies_where_the_producer_may_read() -> None:
    services = compose()

    mounts = services["producer"]["volumes"]
    assert mounts == services["cli"]["volumes"] == ["./deploy/examples:/examples:ro"]
    assert services["producer"]["environment"]["EVALBUS_DATASET_ROOTS"] == "/examples"


def test_the_image_runs_as_a_user_with_a_number() -> None:
    # A number, because Kubernetes cannot tell from a name that it is not root.
    assert re.search(r"^USER [1-9][0-9]+:[1-9][0-9]+$", dockerfile(), re.MULTILINE)


def dockerfile() -> str:
    return (CHECKOUT / "Dockerfile").read_text()


def test_in_kubernetes_secrets_are_named_and_not_given() -> None:
    containers = [
        container
        for each in manifests()
        if each["kind"] in ("Deployment", "Job")
        for container in each["spec"]["template"]["spec"]["containers"]
    ]

    urls = [
        variable
        for container in containers
        for variable in container["env"]
        if variable["name"].endswith("_URL")
    ]
    assert len(containers) == 4
    assert urls
    assert all("secretKeyRef" in variable["valueFrom"] for variable in urls)


def test_in_kubernetes_services_are_asked_whether_they_live_and_whether_they_are_ready() -> None:
    services = [each for each in manifests() if each["kind"] == "Deployment"]

    for service in services:
        (container,) = service["spec"]["template"]["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert len(services) == 3


def test_the_example_has_a_few_hundred_facts_and_two_models_that_are_wrong_about_different_ones() -> (
    None
):
    benchmark = load_benchmark(EXAMPLES / "capitals.yaml").written_out()
    rows = [
        json.loads(line)
        for dataset in benchmark.datasets
        for source in dataset.sources
        for line in Path(source).read_text().splitlines()
    ]

    wrong = {
        model: {row["question"] for row in rows if row["reference"] not in row[model]}
        for model in ("terse", "verbose")
    }
    assert {model.name for model in benchmark.models} == wrong.keys()
    assert len(rows) == len({row["question"] for row in rows}) == 312
    assert wrong["terse"] - wrong["verbose"]
    assert wrong["verbose"] - wrong["terse"]
