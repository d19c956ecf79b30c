"""As whom Postgres runs. It refuses to be root, and root's machine is to stay as it is: no user is added, no mode changed."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalbus.errors import WrongSettings

NOBODY = "nobody"
# Inside a user namespace we are somebody else; outside, the files are still root's.
NAMESPACE = ("unshare", "--user", "--map-user=65534", "--map-group=65534")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What stands before Postgres's command line, and who owns its files where that is not us."""

    prefix: tuple[str, ...]
    owner: tuple[int, int] | None = None
    can_follow: bool

    @property
    def server_prefix(self) -> list[str]:
        """The same for the server itself, which also stops when the thread that started it ends."""
        if not self.can_follow:
            return list(self.prefix)
        return [*self.prefix, "setpriv", "--pdeathsig", "INT"]

    def take(self, data: Path) -> None:
        """Make it the owner of a data folder that was made by another identity."""
        if self.owner is None or data.stat().st_uid == self.owner[0]:
            return
        for path in _everything(data):
            os.chown(path, *self.owner, follow_symlinks=False)


def identity_for(data: Path) -> Identity:
    """Who can use `data`, there or yet to be made; raises WrongSettings when root finds no way not to be root."""
    has_setpriv = shutil.which("setpriv") is not None
    if os.geteuid() != 0:
        return Identity(prefix=(), can_follow=has_setpriv)
    nobody = pwd.getpwnam(NOBODY)
    # What nobody made stays nobody's: from inside a namespace it could not be read.
    if not _is_owned_by(data, nobody.pw_uid) and _works(NAMESPACE):
        return Identity(prefix=NAMESPACE, can_follow=has_setpriv)
    switch = (
        "setpriv",
        f"--reuid={nobody.pw_uid}",
        f"--regid={nobody.pw_gid}",
        "--clear-groups",
        # To reach programs and data below a folder that only root may enter; access(2), which initdb asks, forgets
        # what a user who is not root may do, unless it is told not to.
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )
    if _works(switch):
        return Identity(prefix=switch, owner=(nobody.pw_uid, nobody.pw_gid), can_follow=has_setpriv)
    raise WrongSettings(
        "Postgres does not run as root, and neither a user namespace (unshare) nor a change of user (setpriv) "
        "is allowed here: run evalbus as an ordinary user, or set EVALBUS_AMQP_URL and EVALBUS_DATABASE_URL"
    )


def _is_owned_by(data: Path, uid: int) -> bool:
    return data.exists() and data.stat().st_uid == uid


def _works(prefix: tuple[str, ...]) -> bool:
    if shutil.which(prefix[0]) is None:
        return False
    return subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0


def _everything(folder: Path) -> Iterator[Path]:
    yield folder
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield Path(parent) / name
