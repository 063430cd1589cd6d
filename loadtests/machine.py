"""Where the figures come from: they say nothing without it."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cores": os.cpu_count(),
        "model": model,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],  # of the last minute: beside other work, latencies say little
        "note": "the generator runs on the same cores as the shop",
    }
