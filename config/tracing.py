"""Where spans go, and the span of each request. Imported only when OTEL_EXPORTER_OTLP_ENDPOINT is set."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from queueing import telemetry
from queueing.tracing import TRACEPARENT, well_formed

Application = Callable[[Any, Any, Any], Awaitable[None]]
HEADER = TRACEPARENT.encode()
_ID = re.compile(r"(?<=/)(\d+|[0-9a-f-]{36})(?=/|$)")


def start(endpoint: str) -> None:
    """Spans of this process go to `endpoint` (OTLP over HTTP) by a thread of their own; what it can't take is lost."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    telemetry.start(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")))


def trace_requests(application: Application) -> Application:
    """A span of each request. What is inside finds its header in place of the one that came."""

    async def traced(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        came = next((value for name, value in scope["headers"] if name == HEADER), b"")
        method, path = scope["method"], scope["path"]
        facts = {"http.request.method": method, "url.path": path}
        name = f"{method} {_ID.sub('{id}', path)}"
        with telemetry.span(name, well_formed(came.decode("latin-1")), SpanKind.SERVER, **facts) as (span, own):

            async def sending(message: Any) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(Status(StatusCode.ERROR))
                await send(message)

            others = [(name, value) for name, value in scope["headers"] if name != HEADER]
            await application({**scope, "headers": [*others, (HEADER, own.encode())]}, receive, sending)

    return traced
