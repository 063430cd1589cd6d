"""How often somebody may ask: one leaky bucket in Redis for each, looked at and filled by one script.

Attempts to buy are counted in the script that decides on them (lua/admit.lua), places in line in lua/join.lua; this is
for what comes before: log-ins, puzzles and passes.
"""

from __future__ import annotations

from inventory import keys, link
from inventory.script import script


def wait_ms(bucket: str, *, per_s: float, burst: int) -> int:
    """Count one more. 0: it had room. Otherwise milliseconds until it has, and nothing was written.

    per_s: 0 is any number. burst: how many at once.

    Raises:
        GateUnavailable: Redis is away, and nobody counts.
    """
    if not per_s:
        return 0
    with link.gate_errors():
        return int(script("take_one").run([bucket], [per_s, burst]))


def of_user(sale_id: int, user_id: int) -> str:
    """The bucket of one shopper's questions before an order: for a puzzle, a pass, a place in line."""
    return keys.asked(sale_id, "user", user_id)


def of_address(sale_id: int, address: str) -> str:
    """The same of all who speak from one address."""
    return keys.asked(sale_id, "address", address)
