"""A whole shop of a drill's own: durable servers, every process of the house, and buyers over HTTP."""

from __future__ import annotations

import os

# How many times as many buyers, units and rounds as `make test` has.
SCALE = int(os.environ.get("DRILL_SCALE", "1"))
