"""One gate from closed to open again, as far as it goes now."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from inventory import gate_rebuild, keys, rebuilds
from inventory.gate_rebuild import Contents
from inventory.gate_types import Terms
from inventory.models import LedgerEntry, Rebuild, SaleStock
from orders import retelling, voiding
from orders.events import OrderPlaced
from queueing import keys as queue_keys
from queueing.brokers.envelope import from_json
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.crashpoint import crashpoint
from queueing.errors import MalformedMessage

logger = logging.getLogger(__name__)

GROUP = keys.GATE_GROUP


def close(client: Any, rebuild: Rebuild) -> None:
    gate_rebuild.close(client, rebuild.sale_id, before_epoch=rebuild.epoch)
    crashpoint("rebuild.closed")


def reopen(client: Any, rebuild: Rebuild, *, undrained: int) -> str:
    """Rebuild a closed gate and open it. Returns why not yet; '' when it is open.

    undrained: orders of its admission log that group `orders` has not worked off.
    """
    sale_id, row = rebuild.sale_id, SaleStock.objects.get(sale_id=rebuild.sale_id)
    gate = gate_rebuild.look(client, [sale_id]).get(sale_id)
    if gate is not None and gate.epoch >= rebuild.epoch:  # whoever opened it died before he could say so
        rebuilds.finish(rebuild=rebuild, included=gate_rebuild.movements_in(client, sale_id))
        return ""
    if rebuild.stock is not None:
        rebuilds.supersede(rebuild=rebuild)
        return "its data was lost again"
    if row.terms is None:
        return "its price, window and limit are not in the ledger: save the sale in the admin"
    if undrained:
        return f"{undrained} orders of its admission log have no row yet"
    # First what the group holds aside, then the rows: an order can only go from there to a row.
    aside = {placed.order_id: placed for placed in _aside(client, sale_id)}
    voiding.void_before(sale_id=sale_id, epoch=rebuild.epoch, spared=aside)
    crashpoint("rebuild.voided")
    contents, movements = _contents(row, aside)
    rebuilds.begin_opening(rebuild=rebuild, stock=contents.stock)
    crashpoint("rebuild.opening")
    gate_rebuild.reopen(client, sale_id=sale_id, epoch=rebuild.epoch, terms=Terms(**row.terms), contents=contents)
    crashpoint("rebuild.opened")
    rebuilds.finish(rebuild=rebuild, included=movements)
    logger.warning("sale %s: open again in epoch %s with %s units", sale_id, rebuild.epoch, contents.stock)
    return ""


def undrained(broker: RedisStreamsBroker) -> dict[int, int]:
    """Sale → orders of its admission log that have still to get their rows."""
    return {int(row.partition): row.lag for row in broker.stats({GROUP: [keys.TOPIC]}) if row.partition.isdigit()}


def _aside(client: Any, sale_id: int) -> Iterator[OrderPlaced]:
    """The admissions among the group's retries and dead letters."""
    where = (keys.TOPIC, str(sale_id), GROUP)
    with client.pipeline(transaction=True) as pipe:
        pipe.hgetall(queue_keys.waiting(*where))
        pipe.hgetall(queue_keys.graves(*where))
        waiting, graves = pipe.execute()
    for message_id, text in {**waiting, **graves}.items():
        if message_id.endswith((b":n", b":s")):  # attempts begun, place among the parked
            continue
        envelope = from_json(text)
        if envelope.name == OrderPlaced.wire:
            try:
                yield OrderPlaced.decode(envelope.body.encode())
            except MalformedMessage:
                logger.warning("dead letter %s of sale %s is no admission", message_id.decode(), sale_id)


def _contents(row: SaleStock, aside: dict[str, OrderPlaced]) -> tuple[Contents, list[int]]:
    """What the gate must hold; and the ids of the ledger's movements in it."""
    movements = rebuilds.movements(sale_id=row.sale_id)
    placed = {order.order_id: order for order in retelling.admissions_of(row.sale_id)}
    placed = aside | placed
    added = sum(entry.quantity for entry in movements if entry.kind == LedgerEntry.Kind.ADD)
    stock, returned, buyers = row.initial + added, 0, dict[int, int]()
    for order in placed.values():
        stock -= order.quantity
        buyers[order.user_id] = buyers.get(order.user_id, 0) + order.quantity
    for entry in movements:
        if entry.kind == LedgerEntry.Kind.RETURN and entry.user_id is not None:
            stock += entry.quantity
            returned += entry.quantity
            buyers[entry.user_id] = buyers.get(entry.user_id, 0) - entry.quantity
    included = [entry.id for entry in movements]
    contents = Contents(
        stock=stock,
        initial=row.initial + added,
        orders=len(placed),
        units=sum(order.quantity for order in placed.values()),
        returned=returned,
        buyers={user: units for user, units in buyers.items() if units > 0},
        answers=((f"{order.user_id}:{order.idempotency_key}", order.encode()) for order in placed.values()),
        applied=included,
    )
    return contents, included
