"""What the stock ledger tells."""

from __future__ import annotations

from queueing.event import Event


class StockDeducted(Event):
    wire = "inventory.StockDeducted"
    topic = "orders.events"

    order_id: str
    sale_id: int
    quantity: int


class StockRejected(Event):
    """The ledger has no unit left for this order."""

    wire = "inventory.StockRejected"
    topic = "orders.events"

    order_id: str
    sale_id: int
    quantity: int
    reason: str


class StockReturned(Event):
    """The ledger took units back. The gate in Redis takes them back when it hears this, once per `ledger_id`."""

    wire = "inventory.StockReturned"
    topic = "orders.events"

    order_id: str
    sale_id: int
    user_id: int
    quantity: int
    ledger_id: int


class SaleStockAdded(Event):
    """The ledger took an addition in; the gate adds it when it hears this, once per `ledger_id`."""

    wire = "inventory.SaleStockAdded"
    topic = "sales.events"
    key_field = "sale_id"

    sale_id: int
    quantity: int
    ledger_id: int
