"""What must be so before anything starts. Each check names what is wrong and what to do, in one line."""

from __future__ import annotations

import contextlib
import platform
import socket
from urllib.parse import urlsplit

from config.stack import postgres, valkey
from config.stack.errors import CannotStart

REDIS_AT_LEAST = 7
POSTGRES_AT_LEAST = 14


def port_is_free(port: int) -> None:
    """Raises CannotStart when something listens on this port of the loopback interface."""
    with socket.socket() as probe:
        # As granian binds; without it a port just left by an earlier stack would look taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise CannotStart(
                f"Port {port} cannot be used ({problem.strerror}). "
                f"Stop what listens there, or choose another: PORT={_next_free(port)} make up"
            ) from None


def _next_free(port: int) -> int:
    for candidate in range(port + 1, min(port + 100, 65536)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", candidate))
            return candidate
    return valkey.free_port()


def postgres_wheel() -> str:
    """The major version of PostgreSQL that the wheel brings."""
    if postgres.programs() is None:
        raise CannotStart(
            f"There is no PostgreSQL wheel for {_platform()}. Point it at a server of your own "
            f"(PostgreSQL >= {POSTGRES_AT_LEAST}): DATABASE_URL=postgresql://user:password@host/name make up"
        )
    return str(postgres.MAJOR)


def redis_program() -> str:
    """Which Redis will run, e.g. "valkey 9"."""
    program = valkey.program()
    kind = valkey.kind_of(program) if program else None
    if kind is None:
        raise CannotStart(
            f"There is no Valkey wheel for {_platform()}, and no redis-server >= {REDIS_AT_LEAST} on the PATH. "
            "Install one, or point it at a server of your own: REDIS_URL=redis://host:6379/0 make up"
        )
    return kind


def postgres_answers(url: str) -> None:
    """Raises CannotStart unless a PostgreSQL new enough for Django answers at DATABASE_URL."""
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as problem:
        raise CannotStart(f"DATABASE_URL ({_host(url)}) does not answer: {_first_line(problem)}") from None
    if version < POSTGRES_AT_LEAST:
        raise CannotStart(f"DATABASE_URL is a PostgreSQL {version}; it must be {POSTGRES_AT_LEAST} or newer")


def redis_answers(url: str) -> str | None:
    """A warning about this Redis, or None. Raises CannotStart unless one >= 7 answers at REDIS_URL."""
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            version = str(client.info("server")["redis_version"])
            aof = int(client.info("persistence").get("aof_enabled", 0))
    except (redis.RedisError, ValueError) as problem:
        raise CannotStart(f"REDIS_URL ({_host(url)}) does not answer: {_first_line(problem)}") from None
    if int(version.split(".")[0]) < REDIS_AT_LEAST:
        raise CannotStart(f"REDIS_URL is a Redis {version}; it must be {REDIS_AT_LEAST} or newer")
    if not aof:
        return "this Redis keeps no append-only file: it can lose acknowledged orders (appendonly yes)"
    return None


def _platform() -> str:
    return f"{platform.system()} {platform.machine()} with Python {platform.python_version()}"


def _host(url: str) -> str:
    """The part of a URL that may be shown: never its password."""
    return urlsplit(url).hostname or "socket"


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0]
