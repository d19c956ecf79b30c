"""A private Postgres comes up whatever ended the last one, keeps what was committed, and never outlives its owner."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from evalbus.errors import FolderInUse, Unavailable, WrongSettings
from evalbus.store.embedded import EmbeddedPostgres, connect_running, shared
from evalbus.store.embedded.binaries import Binaries, find_binaries
from evalbus.store.embedded.folder import owned
from evalbus.store.embedded.identity import identity_for
from tests.servers.deadline import wait_until
from tests.servers.postgres import available_postgres

VERSIONS = tuple(available_postgres())

# An owner in a process of its own: says where its server is, then waits to be told to end, or to be killed.
OWNER = """
import asyncio, sys
from pathlib import Path
from evalbus.store.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        print(server.pid, server.dsn, flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


@asynccontextmanager
async def connected(dsn: str) -> AsyncGenerator[asyncpg.Connection, None]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def write_a_row(dsn: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS n")


async def read_the_row(dsn: str) -> object:
    async with connected(dsn) as connection:
        return await connection.fetchval("SELECT n FROM kept")


def an_owner(
    folder: Path, *, as_user: tuple[str, ...] = ()
) -> tuple[subprocess.Popen[str], int, str]:
    """The process, its server's pid, and where that is reached."""
    process = subprocess.Popen(
        [*as_user, sys.executable, "-c", OWNER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None, "a pipe was asked for"
    pid, dsn = process.stdout.readline().split(maxsplit=1)
    return process, int(pid), dsn.strip()


def a_bystander() -> subprocess.Popen[bytes]:
    """A process that has nothing to do with Postgres."""
    return subprocess.Popen(["sleep", "60"])


def copy_of_the_programs(folder: Path) -> Binaries:
    """Postgres in a folder of root's own, as in an environment below /root."""
    found = find_binaries()
    package = found.folder.parents[1]
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("include"))
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(libraries, folder / libraries.name)
    copied = folder / package.name / found.folder.relative_to(package)
    return Binaries(folder=copied, major=found.major)


def users_of_the_machine() -> str:
    return Path("/etc/passwd").read_text()


def uid_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def close(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}").exists() or "Z" not in _state(pid)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.parametrize("version", VERSIONS)
async def test_what_was_committed_is_there_after_a_stop_and_a_start(
    tmp_path: Path, version: str
) -> None:
    binaries = available_postgres()[version]
    async with EmbeddedPostgres(tmp_path, binaries=binaries) as server:
        await write_a_row(server.dsn)

    async with EmbeddedPostgres(tmp_path, binaries=binaries) as server:
        found = await read_the_row(server.dsn)

    assert found == 42


@pytest.mark.parametrize("version", VERSIONS)
async def test_it_is_safe_and_open_to_nobody_else(tmp_path: Path, version: str) -> None:
    async with (
        EmbeddedPostgres(tmp_path, binaries=available_postgres()[version]) as server,
        connected(server.dsn) as connection,
    ):
        shown = {
            name: await connection.fetchval(f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "listen_addresses", "TimeZone")
        }

    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "listen_addresses": "",
        "TimeZone": "UTC",
    }


async def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        await write_a_row(server.dsn)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

    async with EmbeddedPostgres(tmp_path) as server:
        found = await read_the_row(server.dsn)

    assert found == 42


@pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="this system cannot tell a child that its parent died"
)
async def test_a_killed_owner_takes_its_server_with_it(tmp_path: Path) -> None:
    owner, server_pid, dsn = an_owner(tmp_path)
    await write_a_row(dsn)

    close(owner)

    wait_until(
        lambda: not is_alive(server_pid), timeout_seconds=20, otherwise=lambda: "it still runs"
    )
    async with EmbeddedPostgres(tmp_path) as server:
        assert await read_the_row(server.dsn) == 42


async def test_a_server_that_lost_its_owner_is_ended_by_the_next_one(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        await write_a_row(server.dsn)
    ownerless = _start_without_owner(tmp_path)

    async with EmbeddedPostgres(tmp_path) as server:
        found = await read_the_row(server.dsn)

    assert found == 42
    assert ownerless.wait(20) == 0


async def test_a_folder_has_one_owner_at_a_time(tmp_path: Path) -> None:
    owner, _, _ = an_owner(tmp_path)

    with pytest.raises(FolderInUse, match=f"process {owner.pid}") as refusal:
        async with EmbeddedPostgres(tmp_path):
            pass

    assert refusal.value.owner_pid == owner.pid
    close(owner)


async def test_the_folder_is_free_when_its_owner_ends(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path):
        pass

    owner, _, dsn = an_owner(tmp_path)

    assert connect_running(tmp_path) == dsn
    close(owner)


async def test_another_process_can_reach_a_running_server(tmp_path: Path) -> None:
    owner, _, _ = an_owner(tmp_path)

    dsn = connect_running(tmp_path)

    assert dsn is not None
    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    close(owner)


async def test_a_folder_can_be_shared_with_its_owner(tmp_path: Path) -> None:
    owner, _, dsn = an_owner(tmp_path)

    async with shared(tmp_path, within_seconds=20) as found:
        assert found == dsn
    close(owner)


async def test_a_folder_that_nobody_owns_is_shared_with_nobody(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        await write_a_row(server.dsn)

    async with shared(tmp_path, within_seconds=20) as dsn:
        found = await read_the_row(dsn)

    assert found == 42
    assert connect_running(tmp_path) is None


async def test_an_owner_that_is_not_ready_yet_is_waited_for(tmp_path: Path) -> None:
    with owned(tmp_path):
        joining = asyncio.create_task(one_plus_one(tmp_path, within_seconds=20))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(joining), timeout=0.5)

    assert await joining == 2


async def test_an_owner_that_is_never_ready_is_named(tmp_path: Path) -> None:
    with owned(tmp_path), pytest.raises(FolderInUse, match=f"process {os.getpid()}"):
        await one_plus_one(tmp_path, within_seconds=0.2)


async def one_plus_one(folder: Path, *, within_seconds: float) -> object:
    async with shared(folder, within_seconds=within_seconds) as dsn, connected(dsn) as connection:
        return await connection.fetchval("SELECT 1 + 1")


async def test_nothing_is_reached_where_nothing_runs(tmp_path: Path) -> None:
    never_made = connect_running(tmp_path / "never made")
    async with EmbeddedPostgres(tmp_path) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)

        # Its backends hold on to the socket until they notice.
        wait_until(
            lambda: connect_running(tmp_path) is None,
            timeout_seconds=20,
            otherwise=lambda: "a killed server is still found",
        )

    assert never_made is None
    assert connect_running(tmp_path) is None


@pytest.mark.parametrize(
    "name",
    ["with some spaces", "with,comma'quote and ünicode", "long " * 30],
    ids=["spaces", "punctuation", "over 107 bytes"],
)
async def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name.strip()

    async with EmbeddedPostgres(folder) as server:
        await write_a_row(server.dsn)
        assert connect_running(folder) == server.dsn
    async with EmbeddedPostgres(folder) as server:
        found = await read_the_row(server.dsn)

    assert found == 42


async def test_a_stale_pid_file_with_somebody_elses_number_does_not_stop_a_start(
    tmp_path: Path,
) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        await write_a_row(server.dsn)
        written = (tmp_path / "data" / "postmaster.pid").read_text()
    somebody = a_bystander()
    _, _, rest = written.partition("\n")
    (tmp_path / "data" / "postmaster.pid").write_text(f"{somebody.pid}\n{rest}")

    async with EmbeddedPostgres(tmp_path) as server:
        found = await read_the_row(server.dsn)

    assert found == 42
    assert somebody.poll() is None, "a process that is no Postgres of ours is left alone"
    somebody.kill()
    somebody.wait()


async def test_a_half_made_folder_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "data.tmp").mkdir()
    (tmp_path / "data.tmp" / "PG_VERSION").write_text("18\n")

    async with EmbeddedPostgres(tmp_path) as server, connected(server.dsn) as connection:
        assert await connection.fetchval("SELECT current_database()") == "evalbus"


async def test_data_of_a_version_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path):
        pass
    (tmp_path / "data" / "PG_VERSION").write_text("9\n")

    with pytest.raises(WrongSettings, match=r"made by Postgres 9: .* EVALBUS_DATA_DIR"):
        async with EmbeddedPostgres(tmp_path):
            pass


async def test_a_server_that_cannot_start_says_why_and_frees_the_folder(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no_such_setting"):
        async with EmbeddedPostgres(tmp_path, settings={"no_such_setting": "1"}):
            pass

    async with EmbeddedPostgres(tmp_path) as server:
        assert server.is_running


async def test_leaving_twice_or_without_having_entered_is_harmless(tmp_path: Path) -> None:
    never_entered = EmbeddedPostgres(tmp_path)
    await never_entered.__aexit__(None, None, None)

    server = EmbeddedPostgres(tmp_path)
    await server.__aenter__()
    await server.__aexit__(None, None, None)
    await server.__aexit__(None, None, None)

    assert not server.is_running


async def test_a_stop_that_is_cut_short_leaves_nothing_running(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    await server.__aenter__()
    await write_a_row(server.dsn)
    pid = server.pid
    assert pid is not None
    leaving = asyncio.create_task(server.__aexit__(None, None, None))
    await asyncio.sleep(0)

    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    assert not is_alive(pid)
    async with EmbeddedPostgres(tmp_path) as again:
        assert await read_the_row(again.dsn) == 42


async def test_ctrl_c_is_for_the_owner_and_not_for_its_server(tmp_path: Path) -> None:
    owner, server_pid, dsn = an_owner(tmp_path)

    assert os.getsid(server_pid) != os.getsid(owner.pid)
    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    close(owner)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else to be")
@pytest.mark.parametrize("tools", [("unshare", "setpriv"), ("setpriv",)], ids=["namespace", "user"])
async def test_root_needs_no_new_user_and_no_open_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: tuple[str, ...]
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    programs = copy_of_the_programs(private)
    users = users_of_the_machine()
    _only(tools, tmp_path / "bin", monkeypatch)

    async with EmbeddedPostgres(private / "data", binaries=programs) as server:
        await write_a_row(server.dsn)
    async with EmbeddedPostgres(private / "data", binaries=programs) as server:
        found = await read_the_row(server.dsn)

    assert found == 42
    assert private.stat().st_mode & 0o777 == 0o700
    assert users_of_the_machine() == users


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else to be")
@pytest.mark.parametrize("tools", [("unshare", "setpriv"), ("setpriv",)], ids=["namespace", "user"])
async def test_a_killed_root_takes_its_server_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: tuple[str, ...]
) -> None:
    _only(tools, tmp_path / "bin", monkeypatch)
    owner, server_pid, _ = an_owner(tmp_path / "data")

    close(owner)

    wait_until(
        lambda: not is_alive(server_pid), timeout_seconds=20, otherwise=lambda: "it still runs"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else to be")
async def test_data_made_in_a_namespace_can_be_used_without_one_and_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    async with EmbeddedPostgres(folder) as server:
        await write_a_row(server.dsn)

    with monkeypatch.context() as without:
        _only(("setpriv",), tmp_path / "bin", without)
        async with EmbeddedPostgres(folder) as server:
            as_a_user = await read_the_row(server.dsn)
    async with EmbeddedPostgres(folder) as server:
        afterwards = await read_the_row(server.dsn)

    assert as_a_user == afterwards == 42


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else to be")
def test_root_without_any_way_to_be_somebody_else_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only((), tmp_path / "bin", monkeypatch)

    with pytest.raises(WrongSettings, match="as an ordinary user"):
        identity_for(tmp_path / "data")


def _only(tools: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has no other programs than these."""
    folder.mkdir()
    for tool in (*tools, "true"):
        found = shutil.which(tool)
        assert found is not None, "the machine that runs the tests has it"
        (folder / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))


def _start_without_owner(folder: Path) -> subprocess.Popen[bytes]:
    """As it is where no system call ties a child to its parent's life."""
    data = folder / "data"
    identity = identity_for(data)
    binaries = next(iter(available_postgres().values()))
    process = subprocess.Popen(
        [
            *identity.prefix,
            binaries.postgres,
            f"-D{data}",
            "-clisten_addresses=",
            f"-cunix_socket_directories={folder}",
        ],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_until(
        lambda: connect_running(folder) is not None,
        timeout_seconds=30,
        otherwise=lambda: "it is not ready",
    )
    return process


async def test_an_ordinary_user_owns_a_server_just_as_well(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    owner, server_pid, dsn = an_owner(folder, as_user=_ordinary(folder))

    async with connected(dsn) as connection:
        assert await connection.fetchval("SELECT 1") == 1

    assert uid_of(server_pid) != 0
    close(owner)


def _ordinary(folder: Path) -> tuple[str, ...]:
    """How to be somebody who is not root, and owns the folder."""
    if os.geteuid() != 0:
        return ()
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    # It must reach the folder and this Python, both of which may lie below folders that are root's alone.
    reach = (
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )
    return ("setpriv", f"--reuid={nobody.pw_uid}", "--clear-groups", *reach)
