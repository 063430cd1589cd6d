"""What a handler logs says which messages it was about: structlog's context variables, bound around its batch.

One message is named by its id, what it is about (`order_id`, as its event calls it) and its trace. Of a batch the first
few are named, and how many there are: a list of 500 ids in each line would say less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from structlog.contextvars import bound_contextvars

from queueing.event import Event
from queueing.message import Delivery
from queueing.tracing import TRACEPARENT, well_formed

NAMED = 3


@contextmanager
def said_of(group: str, batch: Sequence[Delivery], events: Sequence[Event]) -> Iterator[None]:
    """The block handles these messages."""
    found: dict[str, list[str]] = {}
    for delivery, event in zip(batch[:NAMED], events[:NAMED], strict=True):
        for name, value in facts(delivery, event).items():
            found.setdefault(name, []).append(value)
    many = {"messages": len(batch)} if len(batch) > 1 else {}
    said = {name: values[0] if len(batch) == 1 else values for name, values in found.items()}
    with bound_contextvars(group=group, **said, **many):
        yield


def facts(delivery: Delivery, event: Event | None) -> dict[str, str]:
    """What names one message in a log. event: None when it can't be read."""
    named = {"message_id": delivery.message.id}
    if event is not None:
        named[event.about_field or event.key_field] = event.about
    if header := well_formed(delivery.message.headers.get(TRACEPARENT, "")):
        named["trace_id"] = header.split("-")[1]
    return named
