"""The shop's settings with the benchmark's topic and group, for `manage.py autoscale`."""

from __future__ import annotations

from typing import Any

from benchmarks.parcel import TOPIC
from config.settings import *  # noqa: F403
from config.settings import REDIS_URL

QUEUEING: dict[str, Any] = {
    "BROKER": "queueing.brokers.redis_streams.RedisStreamsBroker",
    "OPTIONS": {"url": REDIS_URL},
    "APPS": ["benchmarks.scaled"],
    "TOPICS": {TOPIC: {"partitions": 4}},
}
