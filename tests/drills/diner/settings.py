"""The shop's settings with the diner's topic and consumers, for `manage.py consume waiters` and `manage.py audit`."""

from __future__ import annotations

from typing import Any

from config.settings import *  # noqa: F403
from config.settings import REDIS_URL

QUEUEING: dict[str, Any] = {
    "BROKER": "tests.drills.diner.broker.FreezingBroker",
    "OPTIONS": {"url": REDIS_URL},
    "APPS": ["tests.drills.diner"],
    "TOPICS": {"dishes": {"partitions": 4}},
}
