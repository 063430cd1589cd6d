"""The content security policy: scripts, styles and pictures come from this shop, and nothing is inline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

_EVERYWHERE = [
    "default-src 'self'",
    "img-src 'self' data:",  # Pico draws its chevrons and check marks as data: pictures
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
]
POLICY = "; ".join(_EVERYWHERE)
# Alpine in the admin's theme evaluates what templates say, and sets styles. A script in a message's text runs nowhere.
ADMIN_POLICY = "; ".join([*_EVERYWHERE, "script-src 'self' 'unsafe-eval'", "style-src 'self' 'unsafe-inline'"])
NONE = "/api/docs"  # Swagger starts with an inline script; only with DEBUG


@sync_and_async_middleware
def content_security_policy(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    def mark(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        debug_page = settings.DEBUG and response.status_code >= 400
        if not request.path.startswith(NONE) and not debug_page:
            policy = ADMIN_POLICY if request.path.startswith("/admin/") else POLICY
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    if iscoroutinefunction(get_response):

        async def over_async(request: HttpRequest) -> HttpResponse:
            answer: Awaitable[HttpResponse] = get_response(request)
            return mark(request, await answer)

        return over_async

    def over_sync(request: HttpRequest) -> HttpResponse:
        return mark(request, get_response(request))

    return over_sync
