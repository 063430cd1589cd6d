"""`python3 config/stack/bootstrap.py [extra ...]`: .venv with pyproject.toml's dependencies and these extras, pinned.

Runs on the system's Python with nothing installed. Does nothing when nothing changed since the last time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

BASE = Path(__file__).resolve().parents[2]
VENV = BASE / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "sluice.json"  # what is installed: extra → digest of what asked for it
# Their absence is no reason to stop here: the stack may be pointed at servers of the user's own.
OPTIONAL = {"servers"}


def main(extras: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036  the system's Python is what it is
        return refuse(f"Python 3.11 or newer is needed, this is {platform.python_version()}: make PYTHON=python3.12 up")
    # Two `make`s at once would install over each other.
    with (BASE / "constraints.txt").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not PYTHON.exists() and (problem := make_venv()):
            return refuse(problem)
        installed = json.loads(STAMP.read_text()) if STAMP.exists() else {}
        for name, requirements in wanted(extras).items():
            digest = digest_of(requirements)
            if installed.get(name) == digest:
                continue
            if problem := install(name, requirements):
                return refuse(problem)
            installed[name] = digest
            STAMP.write_text(json.dumps(installed))
    return 0


def wanted(extras: list[str]) -> dict[str, list[str]]:
    import tomllib

    project = tomllib.loads((BASE / "pyproject.toml").read_text())["project"]
    return {"base": project["dependencies"], **{name: project["optional-dependencies"][name] for name in extras}}


def digest_of(requirements: list[str]) -> str:
    pins = (BASE / "constraints.txt").read_text()
    return hashlib.sha256("\n".join([*requirements, pins]).encode()).hexdigest()


def make_venv() -> str | None:
    print(f"Making {VENV.name} with Python {platform.python_version()}", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        return None
    if "ensurepip" in made.stdout + made.stderr:
        return "This Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"
    return f"{VENV} could not be made: {last_line(made.stderr or made.stdout)}"


def install(name: str, requirements: list[str]) -> str | None:
    """None, or why it failed."""
    print(
        f"Installing {len(requirements)} packages ({name}) into {VENV.name}; the first time takes a minute", flush=True
    )
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--prefer-binary",
    ]
    if name in OPTIONAL:
        command += ["--only-binary=:all:"]
    command += ["-c", BASE / "constraints.txt", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INPUT": "1"})
    if done.returncode == 0:
        return None
    if name in OPTIONAL and "No matching distribution" in done.stderr:
        print(f"No wheels for this platform: {', '.join(requirements)}", flush=True)
        return None
    return f"pip could not install {name}: {last_line(done.stderr)} (check the network, then run it again)"


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


def refuse(message: str) -> int:
    print(f"sluice: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
