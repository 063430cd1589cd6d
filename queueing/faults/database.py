"""The database does so many messages a second for all consumers together, however many they are.

A consumer waits inside its transaction, in PostgreSQL, for a lock that only one holds at a time and keeps as long as
its batch takes at that speed. So it really holds its session and its rows, as with a database that is too slow, and
more consumers only make the queue before the lock longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable

from queueing.errors import QueueingError, StoreUnavailable
from queueing.faults.fault import Kind
from queueing.faults.weather import Weather
from queueing.message import Delivery
from queueing.middleware import Middleware, Step

_LOCK = (0x51_CE, 1)  # advisory locks of this database that nobody else takes
AT_ONCE_S = 0.5  # of its time in one transaction: the others have a turn, and rates stay even
# Of a lease: waiting for the lock, and holding it. Both together end before the handler's deadline (subscription.py),
# and each before PostgreSQL's own limits (db.py).
WAIT, HOLD = 0.2, 0.3


class TooMuchAtOnce(QueueingError):
    """More than this database takes in one transaction: the batch is halved until it is not. No attempt is counted."""


def slow_database(weather: Weather, *, lease_s: float) -> Middleware:
    """A middleware inside the transaction.

    Raises, from the middleware:
        TooMuchAtOnce: never of a single message.
        StoreUnavailable: too many wait. No attempt is counted; the batch comes again, as when the database is away.
    """

    def with_its_share(batch: Sequence[Delivery], following: Step) -> None:
        if fault := weather.of(Kind.DATABASE):
            if len(batch) > max(1.0, fault.value * AT_ONCE_S):
                raise TooMuchAtOnce
            if not _take(min(len(batch) / fault.value, HOLD * lease_s), wait_s=WAIT * lease_s):
                weather.count(fault, turned_away=1)
                raise StoreUnavailable("too many wait for it: a fault lets it do few messages a second")
            weather.count(fault, transactions=1, messages=len(batch))
        following(batch)

    return with_its_share


def _take(seconds: float, *, wait_s: float) -> bool:
    """Hold the lock for so long; False: it was not free in time, and the transaction is spoilt."""
    with connection.cursor() as cursor:
        # What is locked after a savepoint is free again when that is rolled back, and so is the timeout.
        cursor.execute("SAVEPOINT share")
        cursor.execute(f"SET LOCAL lock_timeout = {int(wait_s * 1000)}")
        try:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", _LOCK)
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                return False
            raise
        cursor.execute("SELECT pg_sleep(%s)", [seconds])
        cursor.execute("ROLLBACK TO SAVEPOINT share")
        cursor.execute("RELEASE SAVEPOINT share")
    return True
