"""Which trace a piece of work belongs to: the W3C `traceparent` it came with, which goes on with all it publishes.

A request brings one in its header, or brings none; a message carries it in its own. Nothing here needs OpenTelemetry:
without it the header travels all the same, and work without one pays for a look at a variable. With it
(`queueing.telemetry.start`) each step replaces the header by that of its own span.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar

from queueing.event import Event
from queueing.message import Delivery

TRACEPARENT = "traceparent"
_WELL_FORMED = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}").fullmatch

on = False  # whether spans are recorded in this process
_request: ContextVar[str] = ContextVar("traceparent of the request", default="")
_batch: ContextVar[Mapping[str, str] | None] = ContextVar("traceparents of the batch", default=None)  # what about → it


def well_formed(header: str) -> str:
    """The header, or '' for anything that is none: a stranger wrote it."""
    return header if _WELL_FORMED(header) else ""


def current() -> str:
    """Of the request at hand; '' for none."""
    return _request.get()


def note(header: str) -> None:
    """The request that this task serves came with this header, or with none: a task may serve one after the other."""
    _request.set(well_formed(header) if header else "")


@contextmanager
def request(header: str) -> Iterator[None]:
    """The block is the work of a request that came with this header."""
    token = _request.set(well_formed(header))
    try:
        yield
    finally:
        _request.reset(token)


def outgoing() -> Callable[[Event], dict[str, str]] | None:
    """The headers that what is published now carries, by event; None: there is no trace to go on with.

    In a handler an event belongs to the trace of the message that is about the same thing (`Event.about`).
    """
    batch = _batch.get()
    if batch is not None:
        return (lambda event: {TRACEPARENT: batch[event.about]} if event.about in batch else {}) if batch else None
    header = _request.get()
    return (lambda event: {TRACEPARENT: header}) if header else None


@contextmanager
def handling(group: str, batch: Sequence[Delivery], events: Sequence[Event]) -> Iterator[None]:
    """The block handles these messages; what it publishes goes on with their traces."""
    headers: list[str] = []
    if on or any(delivery.message.headers for delivery in batch):
        headers = [well_formed(delivery.message.headers.get(TRACEPARENT, "")) for delivery in batch]
    with ExitStack() as spans:
        if on:
            from queueing.telemetry import process

            headers = spans.enter_context(process(group, batch, events, headers))
        token = _batch.set({event.about: header for event, header in zip(events, headers, strict=False) if header})
        try:
            yield
        finally:
            _batch.reset(token)
