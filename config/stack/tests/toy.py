"""A supervisor with small children, as a process of its own: `python -m config.stack.tests.toy '[{"name": ...}]'`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from config.stack.child import Child
from config.stack.output import Output
from config.stack.supervisor import Supervisor


def main(children: list[dict[str, object]], grace_s: list[float]) -> None:
    output = Output([str(child["name"]) for child in children])
    with Supervisor(output, grace_s=grace_s) as supervisor:
        for child in children:
            command = [sys.executable, "-u", "-c", str(child["code"])]
            ends = int(str(child.get("ends", 1)))
            supervisor.add(Child(str(child["name"]), command, ends=ends, env=os.environ, cwd=Path.cwd()))
        supervisor.run()
    output.say("stopped")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), json.loads(sys.argv[2]))
