"""`manage.py queue lag`: one group's lag in one topic, many times a second, for whoever draws it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from queueing.brokers.redis_layout import read_partitions
from queueing.brokers.redis_stats import read_stats_at
from queueing.conf import subscriptions, topics
from queueing.console.link import client


class WatchingCommand(BaseCommand):
    """A part of the command `queue`."""

    def add_watching_arguments(self, actions: Any) -> None:
        lag = actions.add_parser("lag", help="a group's lag in a topic, again and again: one JSON line each")
        lag.add_argument("group")
        lag.add_argument("--topic", required=True)
        lag.add_argument("--every", type=float, default=1.0, help="seconds between two looks; each costs two pipelines")
        lag.add_argument("--times", type=int, default=0, help="end after so many; else when nobody reads any more")

    def _lag(self, *, group: str, topic: str, every: float, times: int, **options: Any) -> None:
        """Unlike the page and /metrics it looks each time anew, and says when by Redis's clock."""
        if topic not in subscriptions()[group].topics:
            raise CommandError(f"{group} does not read {topic!r}; it reads {', '.join(subscriptions()[group].topics)}")
        seen = 0
        try:
            while True:
                self.stdout.write(json.dumps(_look(group, topic)))
                self.stdout.flush()
                seen += 1
                if seen == times:
                    return
                time.sleep(max(0.01, every))
        except BrokenPipeError:
            with contextlib.suppress(OSError):  # or Python complains once more as it ends
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _look(group: str, topic: str) -> dict[str, int]:
    partitions = read_partitions(client(), [topics()[topic]])[topic].partitions
    at_ms, stats = read_stats_at(client(), [(topic, partition, group) for partition in partitions])
    return {
        "at_ms": at_ms,
        "appended": sum(row.appended - row.skipped for row in stats),
        "acked": sum(row.acked for row in stats),
        "lag": sum(row.lag for row in stats),
    }
