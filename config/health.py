"""`GET /healthz`: is every part of the house at work? For the supervisor and for people; needs no login.
`GET /readyz`: may this web process be sent requests? For compose and Kubernetes.

They are two questions. A consumer that is silent and a Redis that is away are no reason to take the web out of
service: orders are taken without the one, and without the other the shop says so itself, which no gateway could do.

Each answer stands for a second, and requests that come together share one round of probes: whoever asks a thousand
times a second costs the servers no more than whoever asks once. No probe takes longer than a second.
"""

from __future__ import annotations

import asyncio
import time
from functools import cache
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from config.env import env
from config.tasks import celery_is_alive
from inventory import keys
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import topics
from queueing.health import Sign, signs_of_life

PROBE_WITHIN_S = 0.9
STANDS_FOR_S = 1.0
# Consumers and relay beat each second or two; a batch may keep one busy for a few more.
SILENT_AFTER_S = 15.0
OK = "ok"
STOPPED = "stopped by an operator"  # who may: nothing is wrong
Report = dict[str, Any]


@never_cache
@require_GET
async def healthz(request: HttpRequest) -> JsonResponse:
    components = await probes.report()
    well = all(state in (OK, STOPPED) for state in _states(components))
    status = {"status": OK if well else "unavailable", "components": components}
    return JsonResponse(status, status=200 if well else 503)


@never_cache
@require_GET
async def readyz(request: HttpRequest) -> JsonResponse:
    """Whoever gets this answer has reached the event loop, Django and its settings; it asks nobody else."""
    return JsonResponse({"status": OK})


class Probes:
    """One round of probes at a time, its result kept for a second."""

    def __init__(self) -> None:
        self._report: Report = {}
        self._taken_at = -STANDS_FOR_S
        self._running: asyncio.Task[Report] | None = None

    async def report(self) -> Report:
        if time.monotonic() - self._taken_at < STANDS_FOR_S:
            return self._report
        running = self._running
        if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
            running = self._running = asyncio.create_task(self._probe())
        return await asyncio.shield(running)  # a browser that goes away must not end the others' round

    async def _probe(self) -> Report:
        postgres, rest = await asyncio.gather(_postgres(), _redis())
        self._report = {"postgres": postgres, **rest}
        self._taken_at = time.monotonic()
        return self._report


probes = Probes()


async def _postgres() -> str:
    # A connection of its own: the pool may be busy, or full of connections to a server that has gone.
    try:
        async with asyncio.timeout(PROBE_WITHIN_S):
            async with await psycopg.AsyncConnection.connect(env.database_url, autocommit=True) as connection:
                await connection.execute("SELECT 1")
    except TimeoutError:
        return "does not answer"
    except (psycopg.Error, OSError):  # its text may name hosts and users: not for everybody
        return "unreachable"
    return OK


async def _redis() -> Report:
    try:
        async with asyncio.timeout(PROBE_WITHIN_S):
            store, seen, celery = await asyncio.to_thread(_beats)
    except (TimeoutError, redis.TimeoutError):
        return {"redis": "does not answer"}
    except redis.RedisError:
        return {"redis": "unreachable"}
    relay = seen.pop("relay")
    return {
        "redis": store,
        "consumers": {group: _liveness(sign) for group, sign in seen.items()},
        "relay": _liveness(relay),
        "celery": OK if celery else "silent",
    }


def _beats() -> tuple[str, dict[str, Sign], bool]:
    broker = _broker()
    return _store(broker.redis), signs_of_life(broker), celery_is_alive(broker.redis)


def _store(client: Any) -> str:
    """Whether this Redis may admit: it is the primary, and its data was compared with PostgreSQL's since it began."""
    with client.pipeline(transaction=False) as pipe:
        pipe.info("server")
        pipe.info("replication")
        pipe.get(keys.APPROVED)
        server, replication, approved = pipe.execute()
    if replication["role"] != "master":
        return "a read-only replica"
    if approved is not None and approved.decode() != server["run_id"]:
        return "began a new life; its data is being compared with PostgreSQL's"
    return OK


@cache
def _broker() -> RedisStreamsBroker:
    # Two questions; a thread that waits longer than we do would only pile up.
    return RedisStreamsBroker(topics(), url=settings.REDIS_URL, socket_timeout_s=PROBE_WITHIN_S / 2)


def _liveness(sign: Sign) -> str:
    if sign.age_s is not None and sign.age_s < SILENT_AFTER_S:
        return OK
    if sign.stopped:
        return STOPPED
    return "never seen" if sign.age_s is None else f"silent for {sign.age_s:.0f} s"


def _states(components: Report) -> list[str]:
    return [
        state for value in components.values() for state in (value.values() if isinstance(value, dict) else [value])
    ]
