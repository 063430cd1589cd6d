"""How a consumer's PostgreSQL session behaves, and which of its errors mean "the database is away"."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import InterfaceError, InternalError, OperationalError, connection, connections, transaction
from django.db.backends.signals import connection_created
from psycopg.pq import TransactionStatus

from queueing.errors import RolledBack, StoreUnavailable

# SQLSTATE classes of a server that is stopping, starting, full or gone. Others (a deadlock, a lock timeout, a
# cancelled statement) are the batch's own failures and count as attempts.
_AWAY = ("08", "57P01", "57P02", "57P03", "53300", "25P03", "25P04")


def limit_session(*, lease_s: float) -> None:
    """Let PostgreSQL end what this process's sessions leave hanging, before its lease ends.

    A consumer frozen inside its transaction would block whoever takes its messages over; so its session dies first. One
    that only waits for PostgreSQL is told so before its handler's deadline (subscription.DEADLINE) ends the process.
    Call it before the first connection of the process.
    """
    limits = {
        "statement_timeout": lease_s * 0.5,
        "lock_timeout": lease_s * 0.4,
        "idle_in_transaction_session_timeout": lease_s * 0.7,
    }
    options = connections.databases["default"]["OPTIONS"]
    options["options"] = " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in limits.items())
    options.pop("pool", None)  # one thread, one connection
    connection.settings_dict["OPTIONS"] = options

    def limit_transactions(connection: Any, **_: Any) -> None:
        # PostgreSQL does not end an idle transaction whose last statement was psycopg's executemany (a pipeline); since
        # 17 it can end any that lasts too long.
        if connection.pg_version >= 170000:
            with connection.cursor() as cursor:
                cursor.execute(f"SET transaction_timeout = {int(lease_s * 800)}")

    connection_created.connect(limit_transactions, weak=False, dispatch_uid="queueing.limit_session")


@contextmanager
def away_is_not_failure() -> Iterator[None]:
    """Turn a lost or refused connection into StoreUnavailable, and drop it so that the next try dials anew."""
    try:
        yield
    except (OperationalError, InterfaceError, InternalError) as error:
        sqlstate = getattr(error.__cause__, "sqlstate", None)
        if (sqlstate is None and not isinstance(error, InternalError)) or (sqlstate or "").startswith(_AWAY):
            if not connection.in_atomic_block:
                connection.close()
            raise StoreUnavailable(str(error).strip().splitlines()[0] if str(error) else repr(error)) from error
        raise


@contextmanager
def one_transaction() -> Iterator[None]:
    """Everything inside commits or nothing does."""
    with away_is_not_failure(), transaction.atomic():
        yield


def must_commit() -> None:
    """Last thing in a transaction that strangers wrote in: commit() says nothing when PostgreSQL rolls back instead.

    Raises:
        RolledBack: it would.
        StoreUnavailable: the session is gone.
    """
    session = connection.connection
    if session is not None and session.closed:
        raise StoreUnavailable("the session ended inside the transaction")
    if session is None or connection.needs_rollback or session.info.transaction_status != TransactionStatus.INTRANS:
        raise RolledBack


def copy_in(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append rows by COPY, PostgreSQL's fastest way in: two to three times INSERT from arrays.

    All of them or, when it raises, none; in a transaction of yours, which an error spoils unless you made a savepoint.
    Serial columns left out draw their numbers in the order of `rows`.
    """
    names = ", ".join(f'"{column}"' for column in columns)
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy,
    ):
        for row in rows:
            copy.write_row(row)


def array_of(ids: Collection[str]) -> str:
    """UUIDs as the text of an array, for `%s::uuid[]`: psycopg dumps a list item by item, which took longer than the
    statement.

    Raises:
        ValueError: an id with a comma would become two.
    """
    text = ",".join(ids)
    if text.count(",") != max(0, len(ids) - 1):
        raise ValueError("an id is not a UUID: it has a comma")
    return "{" + text + "}"
