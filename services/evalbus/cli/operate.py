"""`evalbus migrate` and `evalbus doctor`: making servers ready, and asking whether they are."""

from evalbus.cli import loop
from evalbus.cli.exits import Exit
from evalbus.cli.modes import server_settings
from evalbus.cli.output import (
    JsonFlag,
    MarkdownFlag,
    Style,
    chosen,
    leave,
    note,
    write_document,
    write_table,
)
from evalbus.client.opening import needs
from evalbus.settings import load_settings
from evalbus.writing.tables import Table


def migrate() -> None:
    """Bring the database to this version and declare every queue; safe to repeat."""
    settings = server_settings("migrate")
    from evalbus import logs  # structlog takes time to load

    logs.configure(settings)

    async def work() -> None:
        with needs("server", "migrate"):
            from evalbus.runtime import migrate as migrate_servers  # the adapters come with it

        await migrate_servers(settings)

    loop.run(work)
    note("the database and the broker are ready")


def doctor(as_json: JsonFlag = False, as_markdown: MarkdownFlag = False) -> None:
    """Check the servers, the schema, the queues and whether services run; exit code 1 when something is wrong."""
    style = chosen(as_json=as_json, as_markdown=as_markdown)
    settings = load_settings()

    async def work() -> list[tuple[str, bool, str]]:
        with needs("server", "doctor"):
            from evalbus.doctor import examine  # the adapters come with it

        return [(check.name, check.ok, check.detail) for check in await examine(settings)]

    checks = loop.run(work)
    if style is Style.JSON:
        named = [{"name": name, "ok": ok, "detail": detail} for name, ok, detail in checks]
        write_document({"checks": named})
    else:
        rows = [(name, "ok" if ok else "wrong", detail) for name, ok, detail in checks]
        write_table(Table(columns=("check", "state", "detail"), rows=rows), style)
    leave(Exit.OK if all(ok for _, ok, _ in checks) else Exit.REFUSED)
