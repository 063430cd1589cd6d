"""The shop's web on a machine whose wall clock is ten minutes ahead, and runs on from there."""

from __future__ import annotations

import time

AHEAD_S = 600
_true_time, _true_time_ns = time.time, time.time_ns
time.time = lambda: _true_time() + AHEAD_S
time.time_ns = lambda: _true_time_ns() + AHEAD_S * 1_000_000_000

from config.asgi import application  # noqa: E402, F401  with that clock from its first line on
