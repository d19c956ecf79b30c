"""Makes the checkout's one environment, `.venv`, from the hashed lock. Needs nothing but Python 3.11.

Both front doors, deploy/quickstart and tests/run, come through here first; when nothing changed it takes no time.
uv does it where it is on PATH; where uv is not, or cannot reach an index that pip is configured for, venv and pip do.
"""

import fcntl
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
LOCK = CHECKOUT / "deploy" / "locks" / "dev.lock"
PYPROJECT = CHECKOUT / "pyproject.toml"

NO_VENV = (
    "this Python cannot make environments (it has no ensurepip): on Debian and Ubuntu `apt-get install python3-venv`, "
    "or put uv on PATH"
)


class CannotMake(Exception):
    """There will be no environment; the text is for a person."""


def main() -> int:
    try:
        make(CHECKOUT / ".venv")
    except CannotMake as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def make(environment: Path) -> None:
    """Afterwards `environment` holds what the lock says, and evalbus itself, editable."""
    with _alone():
        stamp = environment / "made-from"
        wanted = _fingerprint()
        if _python(environment).exists() and _text(stamp) == wanted:
            return
        started = time.monotonic()
        stamp.unlink(missing_ok=True)
        _say(f"making {environment.relative_to(CHECKOUT)}; with an empty cache this takes a minute")
        tool = _install(environment)
        stamp.write_text(wanted)
        _say(f"made by {tool} in {time.monotonic() - started:.0f} s")


def _install(environment: Path) -> str:
    """The tool that did it."""
    uv = shutil.which("uv")
    if uv is not None and _is_done_by_uv(uv, environment):
        return "uv"
    _install_with_pip(environment)
    return "pip"


def _is_done_by_uv(uv: str, environment: Path) -> bool:
    python = str(_python(environment))
    steps: list[list[str]] = []
    if not _works(environment):
        steps.append(
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)]
        )
    pip = [uv, "pip"]
    steps.append([*pip, "sync", "--quiet", "--python", python, "--require-hashes", str(LOCK)])
    steps.append([*pip, "install", "--quiet", "--python", python, *_ourselves()])
    return all(subprocess.run(step, cwd=CHECKOUT, check=False).returncode == 0 for step in steps)


def _install_with_pip(environment: Path) -> None:
    python = str(_python(environment))
    if importlib.util.find_spec("ensurepip") is None and not _has_pip(environment):
        raise CannotMake(NO_VENV)
    if not _works(environment):
        _run([sys.executable, "-m", "venv", "--clear", str(environment)])
    elif not _has_pip(environment):
        # uv made it, and left pip out.
        _run([python, "-m", "ensurepip"])
    # Quiet twice: only errors, for what pip warns of is the machine's configuration.
    pip = [python, "-m", "pip", "install", "--quiet", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--requirement", str(LOCK)])
    _run([*pip, *_ourselves()])


def _ourselves() -> list[str]:
    # The build backend is in the lock as well: nothing is fetched that has no hash.
    return ["--no-build-isolation", "--no-deps", "--editable", str(CHECKOUT)]


def _run(command: list[str]) -> None:
    if subprocess.run(command, cwd=CHECKOUT, check=False).returncode != 0:
        raise CannotMake(f"this failed, see above: {' '.join(command)}")


def _works(environment: Path) -> bool:
    """Its Python is there and is the one that runs this, for compiled packages go with one version."""
    python = _python(environment)
    if not python.exists():
        return False
    asked = [str(python), "-c", "import sys; print(sys.version_info[:2])"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)
    return said.stdout.strip() == str(sys.version_info[:2])


def _has_pip(environment: Path) -> bool:
    if not _python(environment).exists():
        return False
    asked = [str(_python(environment)), "-c", "import pip"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def _fingerprint() -> str:
    found = hashlib.sha256()
    for part in (LOCK.read_bytes(), PYPROJECT.read_bytes(), str(CHECKOUT).encode()):
        found.update(hashlib.sha256(part).digest())
    return f"{found.hexdigest()} {sys.version_info.major}.{sys.version_info.minor}"


@contextmanager
def _alone() -> Generator[None, None, None]:
    """Two front doors may be opened at once."""
    folder = CHECKOUT / ".cache"
    folder.mkdir(exist_ok=True)
    with (folder / "environment.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _python(environment: Path) -> Path:
    return environment / "bin" / "python"


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except OSError:
        return None


def _say(text: str) -> None:
    print(f"[environment] {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
