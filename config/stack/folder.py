"""The data folder: whose it is, what made it, and the secrets it keeps."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import IO

from config.stack.errors import CannotStart

ADMIN_PASSWORD = "admin_password"  # noqa: S105  the name of a file
DATA_DIR = ".data"  # unless the environment names another
LAYOUT = 1  # raised when a new version cannot use what an older one left in DATA_DIR


def claim(folder: Path, *, port: int) -> IO[str]:
    """Make the folder and hold its lock until the returned file is closed or this process dies.

    Raises:
        CannotStart: it cannot be written, or another stack runs on it.
    """
    if not str(folder).isprintable():
        raise CannotStart(
            f"PostgreSQL can't work in {str(folder)!r}. Choose another name: DATA_DIR=~/sluice-data make up"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        lock = (folder / "lock").open("a+")
    except OSError as problem:
        raise CannotStart(
            f"Cannot write to {folder} ({problem.strerror}). "
            "Choose a folder you may write to: DATA_DIR=~/sluice-data make up"
        ) from None
    try:
        # The kernel lets go of it whichever way we die, so it is never stale. Children do not inherit it.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "starting"
        lock.close()
        raise CannotStart(
            f"Another Sluice ({holder}) already runs on {folder}. "
            "Stop it, or give this one its own: DATA_DIR=.data-2 PORT=8001 make up"
        ) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()}, port {port}")
    lock.flush()
    return lock


def check_version(folder: Path, made_by: dict[str, str]) -> None:
    """Compare what made the folder with what is about to use it, e.g. {"postgres": "18", "redis": "valkey 9"}.

    Raises:
        CannotStart: naming the first difference.
    """
    ours = {"layout": str(LAYOUT), **made_by}
    note = folder / "VERSION"
    theirs: dict[str, str] = {}
    if note.exists():
        try:
            theirs = {str(key): str(value) for key, value in json.loads(note.read_text()).items()}
        except (ValueError, AttributeError):
            theirs = {"layout": "of an unknown kind"}
    pg_version = folder / "postgres" / "PG_VERSION"
    if pg_version.exists():
        theirs["postgres"] = pg_version.read_text().strip()
    for name, version in ours.items():
        if theirs.get(name, version) != version:
            raise CannotStart(
                f"The data in {folder} was made by {name} {theirs[name]}, this is {name} {version}. "
                f"Move it away (mv {folder} {folder}-old), or use another folder: DATA_DIR=.data-2 make up"
            )
    note.write_text(json.dumps({**theirs, **ours}) + "\n")


def secret(folder: Path, name: str, *, characters: int) -> str:
    """A random secret, made once and readable by its owner only."""
    path = folder / name
    if not path.exists():
        unfinished = path.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(characters)[:characters] + "\n")
        unfinished.rename(path)  # whole or not at all
    return path.read_text().strip()
