"""The high-water mark: how PostgreSQL knows that a broker has lost messages that the outbox has forgotten.

The relay deletes its rows when they are told. In the same transaction it notes the mark the broker gave it after them.
A broker's store is a log: one that comes back older (a restored file, a replica that lags) or empty has a lower mark.
"""

from __future__ import annotations

from django.db import connection

from queueing.broker import Broker

_REMEMBER = """
    INSERT INTO queueing_tide AS known (id, told) VALUES (1, 0)
    ON CONFLICT (id) DO UPDATE SET told = known.told RETURNING told
"""


def note_tide(broker: Broker) -> None:
    """Call it in the transaction that forgets what was told, after it was told. One relay at a time passes here.

    Raises:
        RanBackwards: the broker has lost data; nothing may be forgotten before that is made good.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REMEMBER)  # and lock
        told = broker.tide(cursor.fetchone()[0])
        cursor.execute("UPDATE queueing_tide SET told = %s", [told])


def known_tide() -> int:
    """The highest mark noted; 0: none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT told FROM queueing_tide")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
