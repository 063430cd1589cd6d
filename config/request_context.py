"""What a request's log lines and events carry: its address, its order, and the trace it came with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import bind_contextvars, bound_contextvars

from queueing import tracing


class RequestContext:
    """The outermost middleware. The lane before Django (orders/lane.py) notes the trace by itself, and logs nothing."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        header = tracing.well_formed(request.headers.get(tracing.TRACEPARENT, ""))
        trace = {"trace_id": header.split("-")[1]} if header else {}
        with tracing.request(header), bound_contextvars(path=request.path, order_id="", **trace):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Mapping[str, Any]) -> None:
        """The address names the order in many of our pages; the block above forgets it again."""
        if "order_id" in kwargs:
            bind_contextvars(order_id=str(kwargs["order_id"]))
