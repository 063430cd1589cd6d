"""Started as root, PostgreSQL needs an account of its own: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from collections.abc import Iterable
from pathlib import Path

from config.stack.foreground import ServerFailed

NAME = "pgserver"


def needed() -> str | None:
    """The account to run PostgreSQL under, or None when we are a normal user."""
    return NAME if os.geteuid() == 0 else None


def ensure() -> pwd.struct_passwd:
    """The account, made when missing.

    Raises:
        ServerFailed: this system has no `useradd`, or it refused.
    """
    try:
        return pwd.getpwnam(NAME)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", NAME]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as problem:
        detail = getattr(problem, "stderr", None) or problem
        raise ServerFailed(f"cannot add the system user {NAME} ({detail}); run as a normal user") from None
    return pwd.getpwnam(NAME)


def own(path: Path) -> None:
    """Give it to the account."""
    owner = ensure()
    os.chown(path, owner.pw_uid, owner.pw_gid)


def let_through(folders: Iterable[Path]) -> None:
    """Allow the account to pass through these folders; it need not see what else is in them."""
    for folder in folders:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
