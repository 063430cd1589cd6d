"""The console's own connections to Redis: impatient, so that a page about a Redis that hangs does not hang itself."""

from __future__ import annotations

from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

ANSWER_WITHIN_S = 1.5


def client() -> Any:
    """The process's client. Threads share its pool."""
    return _client(settings.QUEUEING["OPTIONS"]["url"])


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=ANSWER_WITHIN_S, socket_connect_timeout=ANSWER_WITHIN_S, retry=Retry(NoBackoff(), 0)
    )
