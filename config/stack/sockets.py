"""Folders for Unix sockets, whose paths may be 100 bytes long and no longer."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from config.stack import account
from config.stack.foreground import ServerFailed

LONGEST = 100  # sockaddr_un takes 107 bytes on Linux, 103 on macOS


def folder_for(folder: Path, socket: str, *, kind: str, forbidden: str = "") -> Path:
    """`folder` itself, or one with a short name where that is too long or has a forbidden character."""
    path = str(folder / socket)
    if len(path.encode()) <= LONGEST and not set(path) & set(forbidden):
        return folder
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"sluice-{kind}-{digest}"


def make(folder: Path, *, user: str | None) -> None:
    """Make it ours alone.

    Raises:
        ServerFailed: somebody else has it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    ours = {os.geteuid(), account.ensure().pw_uid if user else os.geteuid()}
    # The temporary folder is everybody's: whoever made this one could answer in our place.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
        raise ServerFailed(f"{folder} is somebody else's; remove it or shorten DATA_DIR")
