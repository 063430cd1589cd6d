"""What the figures were measured on. Ratios travel to other machines; figures do not."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path


def describe(folder: Path) -> str:
    return (
        f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before this run; "
        f"Python {platform.python_version()}; the disk does {fdatasyncs(folder):,.0f} fdatasync/s"
    )


def fdatasyncs(folder: Path, *, seconds: float = 0.5) -> float:
    """Appends made durable one by one, per second: no system that keeps each step for itself can be faster."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        count, started = 0, time.perf_counter()
        while (took := time.perf_counter() - started) < seconds:
            file.write(b"." * 200)
            os.fdatasync(file.fileno())
            count += 1
    return count / took


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
