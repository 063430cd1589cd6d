"""How long a producer should wait that a full topic has refused."""

from __future__ import annotations

ROOM = 0.1  # of the capacity is free when those who were refused come back, so that not all are refused again
AT_LEAST_S, AT_MOST_S = 1.0, 30.0


def retry_after_s(*, lag: int, capacity: int, acked_per_s: float) -> float:
    """Seconds until the gate group has made room, as fast as it acknowledged during the last ten seconds.

    That is never faster than its cap for long, as consumers pay before they handle. A group that acknowledges nothing
    is asked again after AT_MOST_S.
    """
    if acked_per_s <= 0:
        return AT_MOST_S
    return min(AT_MOST_S, max(AT_LEAST_S, (lag - capacity * (1 - ROOM)) / acked_per_s))
