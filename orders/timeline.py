"""An order's way as its page draws it: what happened, what is going on, what is still ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from orders.selectors import OrderView
from orders.states import QUEUED, VOID, Status

WAY: list[tuple[str, str]] = [
    (QUEUED, "Received"),
    (Status.CONFIRMED, "Confirmed"),
    (Status.PAID, "Paid"),
    (Status.SHIPPED, "On its way"),
    (Status.DELIVERED, "Delivered"),
]
ENDS: dict[str, str] = {
    Status.REJECTED: "Not confirmed",
    Status.EXPIRED: "Time to pay ran out",
    Status.CANCELLED: "Cancelled",
    VOID: "Not placed",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """state: done, ended (as far as it came) or ahead."""

    label: str
    state: str
    at: datetime | None = None


def stages(order: OrderView) -> list[Stage]:
    """The five stages of a good end, or those it passed and the one where it ended."""
    reached = {step.status: step.at for step in order.timeline}
    passed = [Stage(label, "done", reached[status]) for status, label in WAY if status in reached]
    if order.status in ENDS:
        return [*passed, Stage(ENDS[order.status], "ended", reached.get(order.status))]
    return [*passed, *(Stage(label, "ahead") for status, label in WAY if status not in reached)]
