"""`make constraints`: the newest versions that pyproject.toml allows, written to constraints.txt."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

BASE = Path(__file__).resolve().parents[1]
HEADER = "# Every version of the tree, pinned. Made by `make constraints`; used by every install.\n"
# What this Python does without and another one needs: redis-py on Python 3.11.0 to 3.11.2.
ELSEWHERE = "async-timeout==5.0.1\n"


def main() -> None:
    project = tomllib.loads((BASE / "pyproject.toml").read_text())["project"]
    requirements = [
        *project["dependencies"],
        *(word for extra in project["optional-dependencies"].values() for word in extra),
    ]
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True)
        frozen = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout
    (BASE / "constraints.txt").write_text(HEADER + frozen + ELSEWHERE)


if __name__ == "__main__":
    main()
