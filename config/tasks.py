"""Celery's sign of life: beat sends a task, a worker runs it, and a key says so for a while."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import Any

import redis
from celery import shared_task
from celery.signals import beat_init
from django.conf import settings
from kombu.exceptions import OperationalError

ALIVE_KEY = "house:celery:alive"  # string, expires
ALIVE_EVERY_S = 10.0
ALIVE_FOR_S = 45  # four missed rounds


@shared_task(name="house.alive")
def alive() -> None:
    _redis().set(ALIVE_KEY, 1, ex=ALIVE_FOR_S)


@shared_task(name="house.watch")
def watch() -> None:
    """See what is wrong, and tell operators once. Any number of them may run: one watches, the others leave."""
    from config.alerts.watching import watch

    watch()


@beat_init.connect
def _at_once(**_kwargs: Any) -> None:
    """The first period would otherwise pass before a new stack knows that Celery works."""
    with suppress(OperationalError):  # Redis is away; the next period tells
        alive.apply_async(expires=ALIVE_EVERY_S)


def celery_is_alive(client: redis.Redis) -> bool:
    """Whether beat and a worker have worked together within the last 45 s."""
    return bool(client.exists(ALIVE_KEY))


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)
