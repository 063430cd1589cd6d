"""The life of an order, as told by orders itself. The picture is in docs/orders.md."""

from __future__ import annotations

from queueing.event import Event


class OrderPlaced(Event):
    """The gate admitted an order: its unit is deducted in Redis and this line is in the admission log.

    Appended by the gate's Lua script in the same step as the deduction, never by Python. One partition per sale.
    """

    wire = "orders.OrderPlaced"
    topic = "orders.placed"
    key_field = "sale_id"
    about_field = "order_id"

    order_id: str
    sale_id: int
    user_id: int
    idempotency_key: str
    quantity: int
    price_cents: int  # per unit, fixed at admission
    seq: int  # the sale's admission sequence, 1, 2, 3 …
    epoch: int
    placed_at_ms: int  # Redis's clock


class OrderFact(Event):
    """What every later fact about an order carries."""

    order_id: str
    sale_id: int
    user_id: int


class OrderCreated(OrderFact):
    """The order has a row."""

    wire = "orders.OrderCreated"
    topic = "orders.events"

    quantity: int
    total_cents: int
    placed_at_ms: int


class OrderConfirmed(OrderFact):
    """The ledger gave its unit; now it wants to be paid."""

    wire = "orders.OrderConfirmed"
    topic = "orders.events"

    quantity: int
    total_cents: int


class OrderRejected(OrderFact):
    """The ledger had no unit for it."""

    wire = "orders.OrderRejected"
    topic = "orders.events"

    quantity: int
    reason: str


class OrderPaid(OrderFact):
    wire = "orders.OrderPaid"
    topic = "orders.events"

    quantity: int
    total_cents: int


class OrderExpired(OrderFact):
    """Nobody paid in time."""

    wire = "orders.OrderExpired"
    topic = "orders.events"

    quantity: int


class OrderCancelled(OrderFact):
    """The buyer changed their mind before paying."""

    wire = "orders.OrderCancelled"
    topic = "orders.events"

    quantity: int
