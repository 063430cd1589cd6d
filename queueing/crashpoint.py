"""Named places where a drill may kill the process: right before and right after everything that is written.

Nothing happens unless SLUICE_CRASH_AT names the point (`name`, or `name#3` for its third passing). Then the process
leaves a note in SLUICE_CRASH_NOTE, so that the drill can prove the point was reached, and sends itself SIGKILL: no
`finally`, no atexit, no flush.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

CRASH_POINTS = (
    "consume.read",  # entries are delivered and nothing is done
    "consume.handled",  # effects written, transaction still open
    "consume.committed",  # effects committed, nothing acknowledged
    "consume.acked",  # acknowledged
    "relay.taken",  # outbox rows are deleted, transaction still open, nothing told
    "relay.produced",  # outbox rows are in the topic and still in the table
    "relay.deleted",  # outbox rows are gone
    "orders.admitted",  # the gate said yes, the buyer was not told
    "inventory.returned",  # the unit is back in Redis, the ledger does not know it yet
    "rebuild.closed",  # a gate that lost its data is closed
    "rebuild.voided",  # no older order of its sale gets a row any more
    "rebuild.opening",  # PostgreSQL says that the gate may be open; it is not
    "rebuild.opened",  # the gate is open, and PostgreSQL does not know
    "rebuild.approved",  # Redis is approved, and what was lost is not told again
    "letters.in_hand",  # a batch of dead letters is noted as in hand, and still dead
    "letters.moved",  # it is moved, and not noted as moved
    "notifications.sent",  # the provider took the messages, the rows do not say so
    "payments.captured",  # the payment row says paid, the webhook was not answered
)

_wanted, _, _nth = os.environ.get("SLUICE_CRASH_AT", "").partition("#")
_passes_left = int(_nth or 1)


def crashpoint(name: str) -> None:
    """Die here by SIGKILL if this is the point a drill asked for; otherwise cost one string comparison."""
    global _passes_left
    if name != _wanted:
        return
    _passes_left -= 1
    if _passes_left > 0:
        return
    note = os.environ.get("SLUICE_CRASH_NOTE")
    if note:
        with Path(note).open("a") as file:
            file.write(f"{name} {os.getpid()}\n")
            file.flush()
            os.fsync(file.fileno())
    os.kill(os.getpid(), signal.SIGKILL)
