"""What the stock ledger does when it hears something, and how the gate in Redis follows it.

PostgreSQL is changed first and tells; Redis follows when the ledger's own event comes back, once per ledger entry.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from inventory import gate, ledger
from inventory.events import SaleStockAdded, StockDeducted, StockRejected, StockReturned
from inventory.gate import Movement, Terms
from inventory.ledger import Line
from inventory.link import GateBroken, GateUnavailable
from inventory.models import SaleStock
from orders.events import OrderCancelled, OrderCreated, OrderExpired, OrderRejected
from queueing.crashpoint import crashpoint
from queueing.errors import NotYet, StoreUnavailable
from queueing.outbox import publish
from queueing.subscription import DATABASE_RATE, Subscription
from shop.events import SaleScheduled, StockAdded

Ending = OrderRejected | OrderCancelled | OrderExpired
Coming = StockReturned | SaleStockAdded


def open_sales(events: Sequence[SaleScheduled]) -> None:
    """A sale's gate opens once, with PostgreSQL's stock; later only its terms change.

    A gate that was open and is gone was lost with Redis's data: it is not opened again from here, because the orders
    it admitted since are not in the ledger yet. config/recovery does that, with these terms.
    """
    for event in sorted(events, key=lambda event: event.sale_id):
        terms = Terms(
            price_cents=event.price_cents,
            starts_at_ms=event.starts_at_ms,
            ends_at_ms=event.ends_at_ms,
            per_user_limit=event.per_user_limit,
            room=event.waiting_room,
            turns_per_s=event.turns_per_s,
            turn_s=event.turn_s,
            paused=event.paused,
            notice=event.notice,
            revision=event.revision,
        )
        entry = ledger.open_sale(sale_id=event.sale_id, title=event.title, stock=event.stock)
        stock = ledger.lock_sales([event.sale_id])[event.sale_id]
        if (stock.terms or {}).get("revision", 0) > terms.revision:
            continue  # told again after a newer change, which stands
        ledger.note_terms(sale_id=event.sale_id, terms=terms)
        with _redis():
            if entry.applied_at is None:
                gate.open_gate(sale_id=event.sale_id, terms=terms, stock=stock.initial, epoch=stock.epoch)
                ledger.mark_applied([entry.id])
            else:
                gate.update_gate(sale_id=event.sale_id, terms=terms)


def add_stock(events: Sequence[StockAdded]) -> None:
    _wait_for_sales(events)
    for event in events:
        entry = ledger.add_units(sale_id=event.sale_id, addition_id=event.addition_id, quantity=event.quantity)
        if entry is not None:
            publish(SaleStockAdded(sale_id=event.sale_id, quantity=event.quantity, ledger_id=entry.id))


def deduct(events: Sequence[OrderCreated]) -> None:
    stocks = _wait_for_sales(events)
    taken, left_out = ledger.deduct([_line(event) for event in events], stocks)
    publish(
        *(StockDeducted(order_id=one.order_id, sale_id=one.sale_id, quantity=one.quantity) for one in taken),
        *(
            StockRejected(
                order_id=one.order_id,
                sale_id=one.sale_id,
                quantity=one.quantity,
                reason="The last unit went to an earlier order.",
            )
            for one in left_out
        ),
    )


def give_back(events: Sequence[Ending]) -> None:
    """An order that ended without being paid: its units are free again, once, whatever ended it."""
    _wait_for_sales(events)
    publish(
        *(
            StockReturned(
                order_id=one.line.order_id,
                sale_id=one.line.sale_id,
                user_id=one.line.user_id,
                quantity=one.line.quantity,
                ledger_id=one.ledger_id,
            )
            for one in ledger.give_back([_line(event) for event in events])
        )
    )


def apply_to_gate(events: Sequence[Coming]) -> None:
    """The gate takes returns and additions in. Killed in between, it is asked again and knows the ledger's ids."""
    homeless: list[Coming] = []
    for sale_id in sorted({event.sale_id for event in events}):
        mine = [event for event in events if event.sale_id == sale_id]
        with _redis():
            held = gate.apply_movements(sale_id=sale_id, movements=[_movement(event) for event in mine])
        crashpoint("inventory.returned")
        homeless += [event for event, is_held in zip(mine, held, strict=True) if not is_held]
        ledger.mark_applied([event.ledger_id for event, is_held in zip(mine, held, strict=True) if is_held])
    if homeless:
        raise NotYet(homeless, "the sale's gate is not open")


def _wait_for_sales(
    events: Sequence[OrderCreated] | Sequence[Ending] | Sequence[StockAdded],
) -> dict[int, SaleStock]:
    stocks = ledger.lock_sales(event.sale_id for event in events)
    early = [event for event in events if event.sale_id not in stocks]
    if early:
        raise NotYet(early, "the sale is not in the ledger yet")
    return stocks


def _line(event: OrderCreated | Ending) -> Line:
    return Line(event.order_id, event.sale_id, event.user_id, event.quantity)


def _movement(event: Coming) -> Movement:
    user_id = event.user_id if isinstance(event, StockReturned) else None
    return Movement(event.ledger_id, event.quantity, user_id)


@contextlib.contextmanager
def _redis() -> Iterator[None]:
    """Redis being away is nobody's failed attempt: the batch waits for it. An error reply is one."""
    try:
        yield
    except GateBroken:
        raise
    except GateUnavailable as error:
        raise StoreUnavailable(str(error)) from error


SUBSCRIPTION = Subscription(
    group="inventory",
    rate=DATABASE_RATE,
    handlers={
        SaleScheduled: open_sales,
        StockAdded: add_stock,
        SaleStockAdded: apply_to_gate,
        OrderCreated: deduct,
        OrderRejected: give_back,
        OrderCancelled: give_back,
        OrderExpired: give_back,
        StockReturned: apply_to_gate,
    },
)
