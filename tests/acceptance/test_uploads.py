"""Files that lie with a client are read by services that never see its disk."""

import hashlib
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evalbus.client import Client
from evalbus.errors import Invalid, NotFound
from tests.servers.deadline import wait_until
from tests.system import System, evalbus, write_benchmark

ROWS = [{"output": str(number % 7), "reference": "0", "text": "x" * 200} for number in range(7000)]
METRIC = {"name": "exact", "type": "exact-match", "reference": "{{ item.reference }}"}
MODEL = {"name": "recorded", "type": "recorded", "output": "{{ item.output }}"}


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is below no root of the services."""
    return tmp_path_factory.mktemp("elsewhere")


@pytest.fixture
def file(elsewhere: Path) -> Path:
    written = elsewhere / "rows.jsonl"
    written.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return written


class Interrupted(Exception):
    """Somebody gave up in the middle."""


def sha256_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_run_sends_local_files_to_services_that_cannot_see_them(
    services: System, elsewhere: Path, file: Path
) -> None:
    (elsewhere / "parts").mkdir()
    for part in ("a", "b"):
        (elsewhere / "parts" / f"{part}.csv").write_text("output,reference\n0,0\n1,0\n")
    benchmark = write_benchmark(
        elsewhere,
        file,
        datasets=[
            {"name": "rows", "source": "rows.jsonl"},
            {"name": "parts", "source": ["parts"]},
        ],
        metrics=[METRIC],
    )

    services.run("run", str(benchmark), code=1)
    document = services.ask("run", str(benchmark), "--upload")
    dry = services.ask("run", str(benchmark), "--dry-run")

    assert document["job"]["rows"] == len(ROWS) + 4
    assert [each["scores"][0]["mean"] for each in document["results"]] == [1 / 7, 0.5]
    assert [pair["rows"] for pair in dry["matrix"]] == [len(ROWS), 4]


def test_an_uploaded_file_is_a_dataset_under_a_name(services: System, file: Path) -> None:
    said = services.ask("datasets", "upload", str(file), "--name", "sent")
    again = services.ask("datasets", "upload", str(file), "--name", "sent")

    assert said["source"] == f"upload://{sha256_of(file)}/rows.jsonl"
    assert said["dataset"]["definition"]["source"] == said["source"]
    assert again == said
    with Client(amqp_url=services.amqp_url) as client:
        client.models.create(MODEL)
        client.metrics.create(METRIC)
        client.benchmarks.create(
            {
                "name": "quiz",
                "datasets": ["default/sent"],
                "models": ["default/recorded"],
                "metrics": ["default/exact"],
            }
        )
        job = client.jobs.start("default/quiz")
        assert client.jobs.wait(job.name, timeout_seconds=60).rows == len(ROWS)
        rows = list(client.benchmarks.rows("quiz"))
    assert [row.item for row in rows] == ROWS


def test_an_interrupted_upload_goes_on_where_it_ended(services: System, file: Path) -> None:
    with Client(amqp_url=services.amqp_url) as client:

        def interrupt(received: int, size: int) -> None:
            if received:
                raise Interrupted

        with pytest.raises(Interrupted):
            client.datasets.upload(file, progress=interrupt)
        seen: list[int] = []
        client.datasets.upload(file, progress=lambda received, size: seen.append(received))
        sent_before: list[int] = []
        client.datasets.upload(
            file, name="other.jsonl", progress=lambda r, _: sent_before.append(r)
        )

    assert seen[0] == 256 * 1024
    assert seen == sorted(set(seen))
    assert seen[-1] == file.stat().st_size
    assert sent_before == [file.stat().st_size]


def test_several_may_send_the_same_file_at_once(services: System, file: Path) -> None:
    with Client(amqp_url=services.amqp_url) as one, Client(amqp_url=services.amqp_url) as other:
        with ThreadPoolExecutor() as threads:
            sources = list(threads.map(lambda c: c.datasets.upload(file), (one, other, one, other)))

        assert set(sources) == {f"upload://{sha256_of(file)}/rows.jsonl"}
        state = one.call("datasets.uploaded", {"sha256": sha256_of(file)}).model_dump()
        assert (state["received"], state["is_complete"]) == (file.stat().st_size, True)


def test_another_producer_goes_on_reading_an_uploaded_file(services: System, file: Path) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in ROWS * 12))
    with Client(amqp_url=services.amqp_url) as client:
        source = client.datasets.upload(file)
        job = client.jobs.start(
            {
                "name": "large",
                "datasets": [{"name": "rows", "source": source}],
                "models": [MODEL],
                "metrics": [METRIC],
            }
        )
        wait_until(
            lambda: client.jobs.get(job.name).rows > 0,
            timeout_seconds=30,
            otherwise=lambda: "no row is scored",
        )
        services["producer"].kill9()
        services["producer"].restart()
        ended = client.jobs.wait(job.name, timeout_seconds=120)

    assert (ended.status, ended.rows, ended.failed_rows) == ("completed", len(ROWS) * 12, 0)


def test_what_is_no_upload_is_refused(services: System, elsewhere: Path) -> None:
    unknown = "0" * 64
    with Client(amqp_url=services.amqp_url) as client:

        def start(source: str) -> None:
            client.jobs.start(
                {
                    "name": "b",
                    "datasets": [{"name": "rows", "source": source}],
                    "models": [MODEL],
                    "metrics": [METRIC],
                }
            )

        with pytest.raises(NotFound, match=f"dataset 'rows'.*{unknown}"):
            start(f"upload://{unknown}/rows.jsonl")
        for source in (
            "upload://x/y.jsonl",
            f"upload://{unknown}",
            f"upload://{unknown}/../x.jsonl",
        ):
            with pytest.raises(Invalid, match="no uploaded file"):
                start(source)
        with pytest.raises(Invalid, match="no file name"):
            client.datasets.upload(__file__, name="../x")
        with pytest.raises(Invalid, match="No such file"):
            client.datasets.upload(elsewhere / "nowhere")
        with pytest.raises(Invalid, match="directory"):
            client.datasets.upload(elsewhere)


def test_one_process_reads_uploads_as_well(tmp_path: Path, file: Path) -> None:
    with Client.embedded(tmp_path / "embedded") as client:
        source = client.datasets.upload(file)
        job = client.jobs.start(
            {
                "name": "here",
                "datasets": [{"name": "rows", "source": source}],
                "models": [MODEL],
                "metrics": [METRIC],
            }
        )

        assert client.jobs.wait(job.name, timeout_seconds=60).rows == len(ROWS)


def test_a_stopped_command_says_nothing_but_that_it_was_stopped(
    empty_system: System, file: Path
) -> None:
    """Nobody answers: the command waits, and a signal ends it with its code."""
    command = subprocess.Popen(
        evalbus("datasets", "upload", str(file)),
        env=empty_system.client_environment | {"EVALBUS_RPC_SECONDS": "60"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        command.wait(2)
    except subprocess.TimeoutExpired:
        command.terminate()
    out, err = command.communicate(timeout=30)

    assert command.returncode in (69, 143)
    assert out == ""
    assert "Traceback" not in err
