"""The states, each by a name, what it is called, and the template with the facts that show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from config.room.preview.samples import MINA, STRANGER, around, at_gate, in_line, moved, order
from orders.errors import REASONS, Refused
from orders.states import QUEUED, VOID, Status
from orders.timeline import stages
from orders.waiting import Waiting
from shop.models import Sale

Facts = Callable[[Sale, datetime], dict[str, Any]]
KEY = "preview-of-a-page"


@dataclass(frozen=True, slots=True)
class State:
    name: str
    title: str
    template: str
    facts: Facts


def _sale(
    sale: Sale, now: datetime, *, state: str, word: str = "open", line: Waiting | None = None, user: Any = MINA
) -> dict[str, Any]:
    left = 0 if word == "sold_out" or state == "ended" else max(1, sale.stock * 2 // 3)
    shown = moved(sale, now, state)
    sample = at_gate(sale, left=left, word=word, line=line)
    return {"sale": shown, "state": state, "now": now, "idempotency_key": KEY, "user": user, "sample": sample}


def _refused(sale: Sale, _: datetime, *, code: str) -> dict[str, Any]:
    again = {"idempotency_key": KEY, "quantity": 1}
    return {"refused": Refused(code), "sale_id": sale.pk, "again": again, "user": MINA}


def _order(sale: Sale, now: datetime, *, status: str) -> dict[str, Any]:
    found = order(sale, now, status)
    facts = {"order": found, "stages": stages(found), "now": now, "user": MINA, "carry_on": ""}
    return facts | {"sample": around(sale, now, status)}


def _error(_: Sale, __: datetime, *, status: int, title: str) -> dict[str, Any]:
    return {"status": status, "title": title}


def _page(name: str, title: str, **facts: Any) -> State:
    return State(name, title, "shop/sale.html", partial(_sale, **facts))


ORDERS = {QUEUED: "In the queue", **{status.value: status.label for status in Status}, VOID: "Void"}
NOT_ORDERED = [
    *("not_started", "paused", "sold_out", "ended", "over_limit", "rate_limited", "queue_full", "unavailable"),
    *("not_in_line", "not_your_turn", "turn_lapsed", "room_closed"),
]
GROUPS: dict[str, list[State]] = {
    "The sale's page": [
        _page("upcoming", "Before the start", state="upcoming"),
        _page("open", "Open", state="open"),
        _page("visitor", "Open, to who is not logged in", state="open", user=STRANGER),
        _page("paused", "Paused", state="open", word="paused"),
        _page("sold-out", "Sold out", state="open", word="sold_out"),
        _page("over", "Over", state="ended"),
    ],
    "Its waiting room": [
        _page("line", "Not in the line", state="open", line=in_line("not_in_line")),
        _page("line-before", "In the line before the start", state="upcoming", line=in_line("joined")),
        _page("line-waiting", "Waiting", state="open", line=in_line("joined", ahead=240)),
        _page("line-turn", "It is your turn", state="open", line=in_line("joined", ahead=0)),
        _page("line-late", "Too late: the turn has passed", state="open", line=in_line("turn_lapsed")),
        _page("line-closed", "Closed", state="open", line=in_line("joined", ahead=240, mode="closed")),
        _page("line-paused", "Paused", state="open", word="paused", line=in_line("joined", ahead=240)),
    ],
    "Not ordered": [
        State(
            f"refused-{code.replace('_', '-')}",
            REASONS[code].message.partition(".")[0],
            "orders/refused.html",
            partial(_refused, code=code),
        )
        for code in NOT_ORDERED
    ],
    "The order's page": [
        State(f"order-{status}", title, "orders/order.html", partial(_order, status=status))
        for status, title in ORDERS.items()
    ],
    "Too much, or away": [
        State("busy", "Shed at the gateway", "busy.html", lambda *_: {}),
        State("too-often", "Too many tries", "errors/429.html", partial(_error, status=429, title="Too many tries")),
        State("away", "Unavailable", "errors/503.html", partial(_error, status=503, title="One moment, please")),
    ],
}
STATES: dict[str, State] = {state.name: state for group in GROUPS.values() for state in group}
