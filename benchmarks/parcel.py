"""The message every benchmark sends: an event with a body of 100 bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from queueing.brokers.envelope import to_arguments
from queueing.event import Event
from queueing.message import Message, new_id
from queueing.topic import Topic

TOPIC = "bench.parcels"
TOPICS = {TOPIC: Topic(TOPIC)}


class Parcel(Event):
    wire = "bench.Parcel"
    topic = TOPIC

    order_id: str
    sale_id: int
    user_id: int
    quantity: int
    pad: str = ""


BODY = msgspec.json.encode(Parcel(order_id="01890f3e-7c1a-7d33-9a3b-6f2f1c9d8e70", sale_id=7, user_id=4211, quantity=1))
BODY = BODY.replace(b'"pad":""', b'"pad":"' + b"." * (100 - len(BODY)) + b'"')
assert len(BODY) == 100


def parcels(count: int, *, key: str | None = None) -> list[Message]:
    """key: of all of them; None: each its own UUID, as an order's events have."""
    return [Message(new_id(), TOPIC, key or new_id(), Parcel.wire, 1, BODY, 1_700_000_000_000) for _ in range(count)]


def fields(message: Message) -> dict[str, Any]:
    """What one message is in the stream, for whoever writes the same bytes raw."""
    id_, name, version, key, at, body, _ = to_arguments(message)
    return {"id": id_, "n": name, "v": version, "k": key, "at": at, "b": body}
