"""A method the API does not know: django-ninja answers in plain text and past its own exception handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import cast

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def api_method_not_allowed(get_response: Sync | Async) -> Sync | Async:
    """405 in the one shape of the API's errors."""
    if iscoroutinefunction(get_response):

        async def answer_async(request: HttpRequest) -> HttpResponseBase:
            return _shaped(request, await cast(Async, get_response)(request))

        return answer_async

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _shaped(request, cast(Sync, get_response)(request))

    return answer


def _shaped(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if response.status_code != 405 or not request.path.startswith("/api/"):
        return response
    allowed = response["Allow"]
    message = f"{request.method} is not for this address; {allowed} is."
    shaped: HttpResponse = JsonResponse({"error": {"code": "method_not_allowed", "message": message}}, status=405)
    shaped["Allow"] = allowed
    return shaped
