"""Spans of an order's way through the house, with OpenTelemetry's own API. Imported only where it is switched on.

request → admission → (queue) → process orders.OrderPlaced → send orders.events → process orders.OrderCreated → …

Each message is one chain of parents and children from the request that caused it. A batch is a span of its own, linked
with every message in it, and they with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from queueing import tracing
from queueing.event import Event
from queueing.message import Delivery, Message

SYSTEM = {"messaging.system": "sluice"}
_propagator = TraceContextTextMapPropagator()
_tracer: Tracer = trace.NoOpTracer()


def start(processor: SpanProcessor) -> TracerProvider:
    """Record spans in this process, and hand them to `processor`. Names and samplers are as OTEL_SERVICE_NAME and
    OTEL_TRACES_SAMPLER say."""
    global _tracer
    provider = TracerProvider(
        resource=Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME") or "sluice"})
    )
    provider.add_span_processor(processor)
    _tracer = provider.get_tracer("sluice")
    tracing.on = True
    return provider


def stop() -> None:
    """Record nothing more; headers travel on."""
    global _tracer
    _tracer, tracing.on = trace.NoOpTracer(), False


@contextmanager
def span(name: str, header: str, kind: SpanKind, **attributes: str | int) -> Iterator[tuple[Span, str]]:
    """A span that goes on with a header's trace, or begins one. Yields it with the header that its own work carries."""
    with _tracer.start_as_current_span(name, context=_context(header), kind=kind, attributes=attributes) as made:
        yield made, traceparent(made)


def traceparent(made: Span) -> str:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(made))
    return carrier.get(tracing.TRACEPARENT, "")


def sent(messages: Sequence[Message]) -> list[Message]:
    """As they go from the outbox to their topics: each with a span that began when it was published."""
    found = []
    for message in messages:
        header = tracing.well_formed(message.headers.get(tracing.TRACEPARENT, ""))
        if header:
            began = _tracer.start_span(
                f"send {message.topic}",
                context=_context(header),
                kind=SpanKind.PRODUCER,
                attributes=SYSTEM | _about(message) | {"messaging.operation.type": "send"},
                start_time=message.produced_at_ms * 1_000_000,
            )
            began.end()
            headers = {**message.headers, tracing.TRACEPARENT: traceparent(began)}
            message = msgspec.structs.replace(message, headers=headers)
        found.append(message)
    return found


@contextmanager
def process(
    group: str, batch: Sequence[Delivery], events: Sequence[Event], headers: Sequence[str]
) -> Iterator[list[str]]:
    """A span of the batch, and one of each message that has a trace. Yields the headers their work carries."""
    contexts = [trace.get_current_span(_context(header)).get_span_context() if header else None for header in headers]
    whole: dict[str, str | int] = {
        **SYSTEM,
        "messaging.operation.type": "process",
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": len(batch),
    }
    links = [Link(context) for context in contexts if context is not None]
    kind = SpanKind.CONSUMER
    with _tracer.start_as_current_span(f"process {group}", kind=kind, attributes=whole, links=links) as together:
        made: list[Span | None] = [
            _tracer.start_span(
                f"process {delivery.message.name}",
                context=_context(header),
                kind=kind,
                attributes=SYSTEM
                | _about(delivery.message)
                | {
                    "messaging.operation.type": "process",
                    "messaging.consumer.group.name": group,
                    "sluice.attempt": delivery.attempt,
                    f"sluice.{event.about_field or event.key_field}": event.about,
                },
                links=[Link(together.get_span_context())],
            )
            if header
            else None
            for delivery, event, header in zip(batch, events, headers, strict=True)
        ]
        try:
            yield [traceparent(one) if one else "" for one in made]
        except BaseException as error:
            for one in made:
                if one:
                    one.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            for one in made:
                if one:
                    one.end()


def _about(message: Message) -> dict[str, str]:
    return {"messaging.destination.name": message.topic, "messaging.message.id": message.id}


def _context(header: str) -> Context | None:
    """None, where there is no header: then the span goes on with what this process does."""
    return _propagator.extract({tracing.TRACEPARENT: header}) if header else None
