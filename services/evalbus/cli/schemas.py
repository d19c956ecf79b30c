"""`evalbus schemas`: the contracts as documents, for editors and for programs in other languages."""

from pathlib import Path
from typing import Annotated

import typer

from evalbus.cli.exits import Exit
from evalbus.cli.output import leave, note, write_text
from evalbus.errors import Refused, unknown


def schemas(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Print this one; without, list them.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write all of them there.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--check", metavar="DIR", help="Exit 1 when those there are not these."),
    ] = None,
) -> None:
    """JSON Schemas of the benchmark file, commands, events, messages and answers; AsyncAPI and OpenRPC."""
    if sum(option is not None for option in (name, into, against)) > 1:
        raise typer.BadParameter("choose one of NAME, --write and --check")
    from evalbus.documents import differences, generate, write  # brings every metric and model

    documents = generate()
    if into is not None:
        try:
            write(documents, into)
        except OSError as error:
            raise Refused(f"{error.filename}: {error.strerror}") from None
        note(f"wrote {len(documents)} documents to {into}")
    elif against is not None:
        found = differences(documents, against)
        for line in found:
            note(line)
        leave(Exit.REFUSED if found else Exit.OK)
    elif name is not None:
        chosen = name if name in documents else f"{name}.json"
        if chosen not in documents:
            raise unknown("document", name, documents)
        write_text(documents[chosen].decode())
    else:
        write_text("\n".join(documents))
