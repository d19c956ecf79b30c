"""A private RabbitMQ node: no service, no rabbitmq user, loopback only, its ports kept over restarts."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.background import call
from tests.servers.broker import Broker
from tests.servers.deadline import wait_until
from tests.servers.ports import free_ports

CHECKOUT = Path(__file__).resolve().parents[2]
UNPACKED = CHECKOUT / ".cache" / "rabbitmq"
INSTALLED = (
    ("/usr/lib/rabbitmq/lib", "rabbitmq_server-*"),
    ("/opt/homebrew/opt", "rabbitmq"),
    ("/usr/local/opt", "rabbitmq"),
)
USER = PASSWORD = "evalbus"
NODE = "evalbus@127.0.0.1"
START_SECONDS = 120
STOP_SECONDS = 60
LOOPBACK_ONLY = "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"

HOW_TO_GET_ONE = (
    "no RabbitMQ was found: start the tests with ./tests/run, which unpacks Debian's packages into .cache/rabbitmq; "
    "or set EVALBUS_RABBITMQ_HOME (and ERL_ROOTDIR) to an installed one; "
    "or start one (docker compose up rabbitmq) and set EVALBUS_TEST_AMQP_URL and EVALBUS_TEST_AMQP_API"
)


@dataclass(frozen=True, kw_only=True)
class Binaries:
    """RabbitMQ, and the Erlang beside it when that is not the machine's own."""

    home: Path
    erlang: Path | None

    def program(self, name: str) -> str:
        """An Erlang program that RabbitMQ's scripts do not start themselves."""
        if self.erlang is None:
            return name
        return str(next(self.erlang.glob(f"erts-*/bin/{name}")))


def find_binaries() -> Binaries:
    """Raises RuntimeError with the ways to get a RabbitMQ when there is none."""
    if named := os.environ.get("EVALBUS_RABBITMQ_HOME"):
        erlang = os.environ.get("ERL_ROOTDIR")
        return Binaries(home=Path(named), erlang=Path(erlang) if erlang else None)
    for home in sorted(UNPACKED.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*")):
        return Binaries(home=home, erlang=UNPACKED / "usr" / "lib" / "erlang")
    for folder, pattern in INSTALLED:
        for home in sorted(Path(folder).glob(pattern)):
            return Binaries(home=home, erlang=None)
    raise RuntimeError(HOW_TO_GET_ONE)


class RabbitNode:
    """One node under `root`. Every method may be called from any thread, and blocks until what it says is so.

    An async test calls the slow ones (start, stop, restart: seconds) through asyncio.to_thread.
    """

    def __init__(self, root: Path, *, plugins: Sequence[str] = ("rabbitmq_management",)) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.ports = _kept_ports(self.root / "ports.json")
        self._plugins = tuple(plugins)
        self._binaries = find_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._configure()

    @property
    def broker(self) -> Broker:
        return Broker(
            host="127.0.0.1",
            port=self.ports["amqp"],
            user=USER,
            password=PASSWORD,
            api_url=self.api_url,
        )

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['management']}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "a node has a pid once it was started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def url(self, vhost: str = "/") -> str:
        return self.broker.url(vhost)

    def api(self, method: str, path: str, body: object = None) -> Any:
        return self.broker.api(method, path, body)

    def make_vhost(self, name: str) -> str:
        return self.broker.make_vhost(name)

    def drop_vhost(self, name: str) -> None:
        self.broker.drop_vhost(name)

    def start(self) -> None:
        """Return when it speaks AMQP and the management API answers; raises RuntimeError with the end of its log."""
        if self.is_running:
            return
        call(self._spawn)
        wait_until(self._is_ready, timeout_seconds=START_SECONDS, otherwise=self._last_words)

    def stop(self) -> None:
        """As an operator stops it. Safe twice and before start."""
        self._end(signal.SIGTERM)

    def kill9(self) -> None:
        """As the kernel's memory killer does. Safe twice and before start."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """It is there and says nothing, as behind a dead link."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Killed, and everything it kept is deleted: vhosts, queues, messages. The ports stay."""
        self.kill9()
        shutil.rmtree(self.root / "mnesia", ignore_errors=True)

    def ctl(self, *arguments: str) -> str:
        """What rabbitmqctl prints; raises CalledProcessError."""
        return subprocess.run(
            [self._script("rabbitmqctl"), "--longnames", "-n", NODE, *arguments],
            env=self._environment(),
            check=True,
            capture_output=True,
            text=True,
            timeout=STOP_SECONDS,
        ).stdout

    def _end(self, with_signal: signal.Signals) -> None:
        for process in (self._process, self._epmd):
            if process is not None and process.poll() is None:
                process.send_signal(with_signal)
                # A paused process sees SIGTERM only when it goes on.
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.wait(STOP_SECONDS)
        self._process = self._epmd = None

    def _configure(self) -> None:
        lines = {
            "listeners.tcp.1": f"127.0.0.1:{self.ports['amqp']}",
            "default_user": USER,
            "default_pass": PASSWORD,
            "log.console": "true",
            "log.console.level": "info",
            "log.file": "false",
            # A small disk or a busy machine must not make the broker block its publishers.
            "disk_free_limit.absolute": "64MB",
            "vm_memory_high_watermark.absolute": "1GB",
        }
        if "rabbitmq_management" in self._plugins:
            lines["management.tcp.ip"] = "127.0.0.1"
            lines["management.tcp.port"] = str(self.ports["management"])
        if "rabbitmq_prometheus" in self._plugins:
            lines["prometheus.tcp.ip"] = "127.0.0.1"
            lines["prometheus.tcp.port"] = str(self.ports["prometheus"])
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        (self.root / "rabbitmq.conf").write_text(text)
        if self._binaries.erlang is not None:
            _write_erl(self.root / "bin" / "erl", self._binaries.erlang)
        (self.root / "enabled_plugins").write_text(f"[{','.join(self._plugins)}].\n")

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}
        if self._binaries.erlang is not None:
            kept["PATH"] = f"{self.root / 'bin'}{os.pathsep}{kept['PATH']}"
        folders = {
            "HOME": self.root,
            "RABBITMQ_MNESIA_BASE": self.root / "mnesia",
            "RABBITMQ_LOG_BASE": self.root / "log",
            "RABBITMQ_CONFIG_FILE": self.root / "rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": self.root / "conf.d",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.root / "enabled_plugins",
            "RABBITMQ_FEATURE_FLAGS_FILE": self.root / "mnesia" / "feature_flags",
            "RABBITMQ_GENERATED_CONFIG_DIR": self.root / "schema",
            "RABBITMQ_PID_FILE": self.root / "pid",
            # Named so that the machine's own under /etc/rabbitmq are not read.
            "RABBITMQ_ADVANCED_CONFIG_FILE": self.root / "none.config",
            "RABBITMQ_CONF_ENV_FILE": self.root / "none.env",
        }
        return {
            **kept,
            **{name: str(path) for name, path in folders.items()},
            # An address, not a name: a host name need not be in /etc/hosts.
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_DIST_PORT": str(self.ports["distribution"]),
            "ERL_EPMD_PORT": str(self.ports["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": os.devnull,
            "RABBITMQ_CTL_ERL_ARGS": LOOPBACK_ONLY,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{LOOPBACK_ONLY} +S 2:2",
            # Makes the script exec the VM, so that our child is the VM and gets our signals.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _spawn(self) -> None:
        environment = self._environment()
        if self._epmd is None or self._epmd.poll() is not None:
            # Our own child: the one that the VM would start stays behind as a daemon.
            self._epmd = subprocess.Popen(
                [*_dies_with_us("KILL"), self._binaries.program("epmd")],
                env=environment,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        with (self.root / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_dies_with_us("KILL"), self._script("rabbitmq-server")],
                env=environment,
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _script(self, name: str) -> str:
        return str(self._binaries.home / "sbin" / name)

    def _is_ready(self) -> bool:
        if not self.is_running:
            raise RuntimeError(f"RabbitMQ ended while it started: {self._last_words()}")
        if not _speaks_amqp(self.ports["amqp"]):
            return False
        if "rabbitmq_management" not in self._plugins:
            return True
        with suppress(OSError, RuntimeError):
            self.api("GET", "overview")
            return True
        return False

    def _last_words(self) -> str:
        return (self.root / "server.log").read_text(errors="replace")[-3000:]


def _kept_ports(file: Path) -> dict[str, int]:
    names = ("amqp", "management", "prometheus", "distribution", "epmd")
    if file.exists():
        kept: dict[str, int] = json.loads(file.read_text())
        return kept
    ports: dict[str, int] = dict(zip(names, free_ports(len(names)), strict=True))
    file.write_text(json.dumps(ports))
    return ports


def _write_erl(script: Path, erlang: Path) -> None:
    """The starter of an Erlang that was moved: the packaged one has its old place written into it."""
    folder = next(erlang.glob("erts-*")) / "bin"
    lines = (
        "#!/bin/sh",
        f"export ROOTDIR={shlex.quote(str(erlang))} BINDIR={shlex.quote(str(folder))}",
        "export EMU=beam PROGNAME=erl",
        'exec "$BINDIR/erlexec" "$@"',
    )
    script.parent.mkdir(exist_ok=True)
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o700)


def _dies_with_us(signal_name: str) -> list[str]:
    """So that a killed test run leaves no server behind; where there is no setpriv, it does."""
    return ["setpriv", "--pdeathsig", signal_name] if shutil.which("setpriv") else []


def _speaks_amqp(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as probe:
        probe.settimeout(5)
        probe.sendall(b"AMQP\0\0\x09\x01")
        return len(probe.recv(4)) == 4
    return False
