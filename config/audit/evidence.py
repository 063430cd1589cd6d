"""Everything the rules look at, side by side in one PostgreSQL session: its own rows as of one snapshot, and Redis's
streams, sets and hashes and the buyers' history as temporary tables."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db import connection
from psycopg import sql

from config.audit import fence, history, logs, rest, schema
from config.audit.errors import LogsTrimmedTooFast
from queueing.registry import subscriptions

CUTS = 10  # tries for an audit of seconds between trims ten seconds apart
Session = psycopg.Connection[tuple[Any, ...]]


@dataclass(slots=True)
class Evidence:
    """at_rest: nothing was on its way before the first and after the last look. on_its_way: what was."""

    session: Session
    on_its_way: dict[str, int]

    @property
    def at_rest(self) -> bool:
        return not self.on_its_way


@contextlib.contextmanager
def gather(
    *,
    sale_id: int | None = None,
    history_path: Path | None = None,
    wait_s: float = 0.0,
    faults: Sequence[str] = (),
) -> Iterator[Evidence]:
    """Collect it, after waiting up to `wait_s` seconds for rest; the tables live as long as the context.

    faults: what is declared to have been done on purpose, besides what the history says.
    """
    with open_session() as session, redis.Redis.from_url(settings.REDIS_URL) as client:
        # The joins are over hundreds of thousands of rows: in memory, and planned for running once.
        session.execute("SET work_mem = '64MB'; SET jit = off")
        session.execute(schema.statements(sale_id))  # our own constant text
        session.commit()

        def look() -> dict[str, int]:
            where = _scope(fence.partitions(client), sale_id)
            found = rest.on_its_way(client, session, where, _subscribers)
            if session.isolation_level is None:
                session.commit()  # while waiting: the next look sees what was committed since
            return found

        left = rest.wait(look, seconds=wait_s)
        session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        tables = _consistent_cut(session, client, sale_id)
        tables["subscriptions"] = _subscriptions()
        tables["told"] = history.read(history_path, sale_id=sale_id) if history_path else []
        tables["faults"] = [(code, None) for code in faults]
        tables["store"] = [fence.store(client)]
        for name, rows in tables.items():
            _load(session, name, rows)
        # What set out again after it had come to rest breaks nothing; it only keeps us from judging rest.
        _load(session, "on_its_way", left.items() if wait_s else [])
        session.execute("ANALYZE " + ", ".join(tables))
        session.execute(schema.COMPLETED)
        yield Evidence(session, left | look())
        session.rollback()


def _consistent_cut(session: Session, client: redis.Redis, sale_id: int | None) -> dict[str, Iterable[Any]]:
    """Fences, then PostgreSQL's snapshot, then entries; once more when a log was trimmed meanwhile, which is every ten
    seconds at most. An entry that was in hand at its fence, and settled and trimmed since, would look lost."""
    for _ in range(CUTS):
        fences = [
            fence.read(client, topic, partition, _subscribers(topic))
            for topic, partition in _scope(fence.partitions(client), sale_id)
        ]
        session.execute("SELECT 1 FROM queueing_outboxmessage LIMIT 1")  # the snapshot is taken here
        tables = logs.tables(client, fences)
        trimmed = fence.trimmed_since(client, fences)
        if not trimmed:
            return tables
        session.rollback()
    raise LogsTrimmedTooFast(", ".join(trimmed))


def open_session() -> Session:
    """A session of our own: the pool's would keep our temporary tables, and a caller's may be in a transaction."""
    params = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        params.pop(name, None)
    return psycopg.connect(**params)


def _subscriptions() -> list[tuple[str, str, str]]:
    found = subscriptions(settings.QUEUEING["APPS"])
    return [(sub.group, event.topic, event.wire) for sub in found.values() for event in sub.handlers]


def _subscribers(topic: str) -> set[str]:
    return {group for group, of_topic, _ in _subscriptions() if of_topic == topic}


def _scope(found: Sequence[tuple[str, str]], sale_id: int | None) -> list[tuple[str, str]]:
    """Of a single sale: its admission log, and the topics that all sales share."""
    return [
        (topic, partition)
        for topic, partition in found
        if sale_id is None or topic != "orders.placed" or partition == str(sale_id)
    ]


def _load(session: Session, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
    with session.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
