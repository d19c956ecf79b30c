"""The command `evalbus`: its nouns, and how every error ends."""

import signal
import sys
from importlib.metadata import version
from types import FrameType
from typing import Annotated, NoReturn

import typer

from evalbus.cli import dead_letters, events, jobs, metrics, results
from evalbus.cli.apply import apply
from evalbus.cli.catalogue import catalogue_app
from evalbus.cli.exits import Exit, Stopped, exit_of_error
from evalbus.cli.init import init
from evalbus.cli.operate import doctor, migrate
from evalbus.cli.output import error_note, write_text
from evalbus.cli.run import run
from evalbus.cli.schemas import schemas
from evalbus.cli.serve import serve
from evalbus.cli.uploading import upload
from evalbus.errors import EvalbusError

app = typer.Typer(
    name="evalbus",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        write_text(f"evalbus {version('evalbus')}")
        raise typer.Exit


@app.callback()
def evalbus(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Score models on datasets, over RabbitMQ and Postgres or in this one process.

    Exit codes: 0 ok; 1 refused, not found, or the job ended in error or cancelled; 2 wrong arguments or benchmark
    file; 3 completed with failed rows; 69 a server cannot be reached; 78 wrong settings; 130 and 143 after a signal.
    """


app.command()(init)
app.command()(run)
app.command()(serve)
app.add_typer(jobs.app, name="jobs")
app.add_typer(results.app, name="results")
datasets = catalogue_app("dataset")
datasets.command()(upload)
app.command()(apply)
app.add_typer(catalogue_app("benchmark"), name="benchmarks")
app.add_typer(datasets, name="datasets")
app.add_typer(catalogue_app("model"), name="models")
app.add_typer(metrics.app, name="metrics")
app.add_typer(events.app, name="events")
app.add_typer(dead_letters.app, name="dlq")
app.command()(migrate)
app.command()(doctor)
app.command()(schemas)


def main() -> NoReturn:
    """Run the command line; an error that was foreseen is one sentence and an exit code, never a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Until an event loop takes over (loop.py), so that the exit codes hold from the start.
        signal.signal(number, _stop)
    try:
        app()
    except EvalbusError as error:
        error_note(str(error))
        sys.exit(exit_of_error(error))
    except OSError as error:
        # Standard output that cannot be written, or a disk that is full.
        error_note(str(error))
        sys.exit(Exit.REFUSED)
    except Stopped as stopped:
        sys.exit(stopped.code)
    sys.exit(Exit.OK)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)
