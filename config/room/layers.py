"""The funnel's layers: what each counts, from the counts of one second or of many. docs/funnel.md explains them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from config.room.flow import QUEUED
from config.traffic.reading import ANSWERED, FETCHED, REQUESTS
from config.traffic.second import ANSWER
from orders.states import Status
from orders.tallies import ADMITTED, OUTCOMES

Counts = Counter[str]
SOLD_OUT = "sold_out"
REFUSALS = [outcome for outcome in OUTCOMES if outcome not in {ADMITTED, SOLD_OUT}]
AGAIN = "again"


class Layer(NamedTuple):
    """leaves: these go no further. of: the layer it is a share of."""

    key: str
    label: str
    what: str
    count: Callable[[Counts], int]
    of: str
    leaves: bool = False


def shed(counts: Counts) -> int:
    """By config/limits.py, or by nginx: what it took, and neither answered itself nor passed on."""
    by_nginx = counts[REQUESTS] - counts[ANSWERED] - counts["passed"] if counts[REQUESTS] else 0
    return counts["shed"] + max(0, by_nginx)


def cached(counts: Counts) -> int:
    """What nginx answered itself, less what it had to fetch for that: those are among the passed."""
    return max(0, counts[ANSWERED] - counts[FETCHED])


def offered(counts: Counts) -> int:
    return counts["passed"] + shed(counts) + cached(counts)


def asked(counts: Counts) -> int:
    return sum(counts[ANSWER + outcome] for outcome in OUTCOMES)


def refused(counts: Counts) -> int:
    return sum(counts[ANSWER + outcome] for outcome in REFUSALS)


def again(counts: Counts) -> int:
    """Keys that were admitted before and got the same answer: no new order."""
    return max(0, counts[ANSWER + ADMITTED] - counts[QUEUED])


def _named(name: str) -> Callable[[Counts], int]:
    return lambda counts: counts[name]


LAYERS = [
    Layer("offered", "Offered", "requests that came", offered, ""),
    Layer("cached", "Answered by the gateway", "from its cache, the disk, or wrong in form", cached, "offered", True),
    Layer("shed", "Shed at the gateway", "told to come back in some seconds", shed, "offered", True),
    Layer("passed", "Let through", "reached a web process", _named("passed"), "offered"),
    Layer("asked", "Asked to buy", "of those let through; the others want pages", asked, "passed"),
    Layer("refused", "Refused", "by pass, limits, line or a full queue", refused, "asked", True),
    Layer("sold_out", "Sold out", "the gate had no unit", _named(ANSWER + SOLD_OUT), "asked", True),
    Layer("queued", "Queued", "admitted, on disk, and each told 202", _named(QUEUED), "asked"),
    Layer("created", "Created", "have a row in PostgreSQL", _named(f"step:{Status.CREATED}"), "queued"),
    Layer("paid", "Paid", "the bank has said so", _named(f"step:{Status.PAID}"), "queued"),
    Layer("shipped", "Shipped", "with the carrier", _named(f"step:{Status.SHIPPED}"), "queued"),
]
