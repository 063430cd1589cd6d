"""The database does so many messages a second for all consumers together, however many they are.

A consumer waits inside its transaction, in PostgreSQL, for a lock that only one holds at a time and keeps as long as
its batch takes at that speed. So it really holds its session and its rows, as with a database that is too slow, and
more consumers only make the queue before the lock longer.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import OperationalError, connection
from psycopg.errors import LockNotAvailable

from queueing.errors import StoreUnavailable
from queueing.faults.fault import Kind
from queueing.faults.weather import Weather
from queueing.message import Delivery
from queueing.middleware import Middleware, Step

_LOCK = (0x51_CE, 1)  # advisory locks of this database that nobody else takes
# Of a lease: waiting for the lock, and holding it. Both together end before the handler's deadline (subscription.py),
# and each before PostgreSQL's own limits (db.py).
WAIT, HOLD = 0.2, 0.3


def slow_database(weather: Weather, *, lease_s: float) -> Middleware:
    """A middleware inside the transaction.

    A batch that needs longer than its transaction may take is handled, and what it owes then is paid before the next.

    Raises, from the middleware:
        StoreUnavailable: too many wait, or too much is owed. No attempt is counted; the batch comes again, as when the
            database is away.
    """
    longest_s, owed_s = HOLD * lease_s, 0.0

    def with_its_share(batch: Sequence[Delivery], following: Step) -> None:
        nonlocal owed_s
        fault = weather.of(Kind.DATABASE)
        if fault is None:
            owed_s = 0.0
            following(batch)
            return
        needs_s = len(batch) / fault.value if owed_s <= longest_s else 0.0
        pays_s = min(longest_s, owed_s + needs_s)
        if not _take(pays_s, wait_s=WAIT * lease_s):
            weather.count(fault, turned_away=1)
            raise StoreUnavailable("too many wait for it: a fault lets it do few messages a second")
        owed_s += needs_s - pays_s
        if not needs_s:
            raise StoreUnavailable("the batch before this one has not had its time yet: a fault makes it slow")
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
