"""What the shop tells: a sale is scheduled, moved, or got more stock."""

from __future__ import annotations

from queueing.event import Event


class SaleScheduled(Event):
    """A sale exists, or its window, price, limit or waiting room changed. Stock is what it began with, for ever."""

    wire = "shop.SaleScheduled"
    topic = "sales.events"
    key_field = "sale_id"

    sale_id: int
    title: str
    picture: str  # static path of the product's SVG
    price_cents: int
    stock: int
    per_user_limit: int
    starts_at_ms: int
    ends_at_ms: int
    waiting_room: str = "off"  # off | on | closed
    turns_per_s: int = 500
    turn_s: int = 60
    paused: bool = False
    notice: str = ""
    revision: int = 0  # rises with every change, so that an older one never undoes a newer one


class StockAdded(Event):
    """More units for a running sale. `addition_id` makes adding them once safe to repeat."""

    wire = "shop.StockAdded"
    topic = "sales.events"
    key_field = "sale_id"

    sale_id: int
    addition_id: str
    quantity: int
