"""The connections to Redis that requests use: few, bounded, and impatient.

A shopper waits a second at most. A connection that timed out is thrown away: its late reply must not become the answer
to somebody else's question. Nothing is repeated here; who asks again does so with the same idempotency key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from functools import cache
from typing import Any
from weakref import WeakKeyDictionary

import hiredis
import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ClusterDownError, MasterDownError
from redis.retry import Retry

from inventory import approval

CONNECTIONS = 64
ANSWER_WITHIN_S = 0.9
# A blocking call can't be bounded as a whole, so its parts are; the async one is, by `bounded`.
SYNC_SOCKET = {"socket_timeout": 0.5, "socket_connect_timeout": 0.2}
SYNC_WAIT_FOR_CONNECTION_S = 0.2
WAIT_MS = 400  # for replicas: less than either
ASYNC_SOCKET = {"socket_timeout": ANSWER_WITHIN_S, "socket_connect_timeout": ANSWER_WITHIN_S}

# Error replies of a Redis that will be well again: full, a replica, its disk full, without its replicas.
PASSING = (redis.OutOfMemoryError, redis.ReadOnlyError, MasterDownError, ClusterDownError)
PASSING_REPLIES = ("MISCONF", "NOREPLICAS", "BUSY")

logger = logging.getLogger(__name__)
_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, redis.asyncio.Redis]] = WeakKeyDictionary()


class GateUnavailable(Exception):
    """The gate did not answer in time. What was asked is *unknown*, not refused: ask again with the same key."""


class GateBroken(GateUnavailable):
    """Redis answered with an error, so a key or a script is wrong. Nothing was changed; waiting won't help."""


def client() -> redis.Redis:
    """The process's client for sync code. Threads share its pool."""
    return _client(settings.REDIS_URL)


@cache
def _client(url: str) -> redis.Redis:
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=CONNECTIONS, timeout=SYNC_WAIT_FOR_CONNECTION_S, retry=Retry(NoBackoff(), 0),
        redis_connect_func=approval.check, **SYNC_SOCKET,
    )  # fmt: skip
    return redis.Redis(connection_pool=pool)


def async_client() -> redis.asyncio.Redis:
    """The running event loop's client: a connection belongs to the loop that opened it."""
    mine = _by_loop.setdefault(asyncio.get_running_loop(), {})
    url: str = settings.REDIS_URL
    if url not in mine:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=ANSWER_WITHIN_S, retry=AsyncRetry(NoBackoff(), 0),
            redis_connect_func=approval.acheck, **ASYNC_SOCKET,
        )  # fmt: skip
        mine[url] = redis.asyncio.Redis(connection_pool=pool)
    return mine[url]


async def dedicated_connection() -> AbstractConnection:
    """A connection made as the pool's are, for a caller who keeps one question in flight on it.

    Its caller bounds the time altogether (`bounded`); a bound around each write and read would cost as much as they do.
    """
    made: AbstractConnection = async_client().connection_pool.make_connection()  # type: ignore[no-untyped-call]
    try:
        await made.connect()  # type: ignore[no-untyped-call]
    except BaseException:
        throw_away(made)
        raise
    made.socket_timeout = None
    return made


async def call(connection: AbstractConnection, *command: Any) -> Any:
    """One command and its reply, on a dedicated connection."""
    # hiredis packs; asyncio's connection would pack 640 arguments in Python.
    await connection.send_packed_command(hiredis.pack_command(command), check_health=False)
    return await connection.read_response()


def was_closed(connection: AbstractConnection) -> bool:
    """Whether Redis has hung up, as when it restarted while nobody asked."""
    return connection._reader is None or connection._reader.at_eof()


async def call_acknowledged(connection: AbstractConnection, *command: Any) -> tuple[Any, bool]:
    """One command and its reply, and whether settings.REPLICAS_TO_ACK replicas have what it wrote.

    WAIT goes out in the same write and on the same connection, as it covers only what its own connection wrote.
    """
    wanted: int = settings.REPLICAS_TO_ACK
    if not wanted:
        return await call(connection, *command), True
    packed = connection.pack_commands([command, ("WAIT", wanted, WAIT_MS)])
    await connection.send_packed_command(b"".join(packed), check_health=False)
    try:
        reply = await connection.read_response()
    except redis.ResponseError:
        await connection.read_response()  # WAIT's: it must not become the answer to the next question
        raise
    return reply, await connection.read_response() >= wanted


def throw_away(connection: AbstractConnection) -> None:
    """Without waiting: whatever it might still say must reach nobody."""
    connection._close()  # type: ignore[no-untyped-call]


async def aclose() -> None:
    """Close the running loop's connections: when a server shuts down, or a test's loop ends."""
    for made in _by_loop.pop(asyncio.get_running_loop(), {}).values():
        await made.aclose()
        await made.connection_pool.disconnect()


@contextlib.contextmanager
def gate_errors() -> Iterator[None]:
    """Whatever goes wrong with Redis becomes GateUnavailable, and what is our fault is logged.

    Scripts check before they write, so an error reply (out of memory, a key of the wrong type) has changed nothing.
    A Redis that is loading, read-only or full will be better later; a wrong type won't.
    """
    try:
        yield
    except redis.ResponseError as error:
        if isinstance(error, PASSING) or str(error).startswith(PASSING_REPLIES):
            raise GateUnavailable(str(error)) from error
        logger.exception("the admission gate answered with an error")
        raise GateBroken(str(error)) from error
    except (redis.RedisError, OSError) as error:  # TimeoutError is an OSError
        raise GateUnavailable(f"{type(error).__name__}: {error}") from error


@contextlib.asynccontextmanager
async def bounded(*, until: float | None = None) -> AsyncIterator[None]:
    """Errors as above, and no longer than ANSWER_WITHIN_S altogether: connecting and reading may each be slow.

    until: another end, on the event loop's clock.
    """
    end = asyncio.get_running_loop().time() + ANSWER_WITHIN_S if until is None else until
    with gate_errors():
        async with asyncio.timeout_at(end):
            yield
