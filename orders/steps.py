"""How many orders took which step in each of the last seconds: from their history, of which only the newest is read.

The ids of steps grow with time. A transaction that was long under way adds its steps below newer ones, so the last few
seconds are read again each time, and nobody should believe them before.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from django.db import connection

from orders.models import Transition

MOST = 1_000_000  # steps to look at; a busier hour is told from its end
_SECONDS = """
    SELECT floor(extract(epoch FROM at))::bigint, to_status, count(*)
    FROM orders_transition WHERE id >= %s AND at >= %s GROUP BY 1, 2
"""


class Steps:
    """Remembers which ids were the newest when, so that the last seconds are found without an index on time."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._newest: deque[tuple[float, int]] = deque(maxlen=120)

    def read(self, *, now_s: int, last_s: int) -> dict[int, dict[str, int]]:
        """Second → status → orders that came to it then.

        Raises:
            django.db.DatabaseError
        """
        since = datetime.fromtimestamp(now_s - last_s + 1, UTC)
        with connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM orders_transition")
            newest: int = cursor.fetchone()[0]
            then = next((id_ for at, id_ in reversed(self._newest) if at <= self._clock() - last_s - 5), None)
            first = max(_first_id(since, newest) if then is None else then, newest - MOST)
            cursor.execute(_SECONDS, [first, since])
            rows = cursor.fetchall()
        self._newest.append((self._clock(), newest))
        found: dict[int, dict[str, int]] = {}
        for second, status, orders in rows:
            found.setdefault(second, {})[status] = orders
        return found


def _first_id(since: datetime, newest: int) -> int:
    """The first step of that time or later, give or take those that were under way; by halving, as in a phone book."""
    low, high = 0, newest + 1
    while low < high:
        middle = (low + high) // 2
        at = Transition.objects.filter(id__gte=middle).order_by("id").values_list("at", flat=True).first()
        low, high = (middle + 1, high) if at is not None and at < since else (low, middle)
    return low
