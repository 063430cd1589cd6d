"""One JSON shape for every error of the API, and calm pages for people."""

from __future__ import annotations

import sys

import redis
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

RETRY_AFTER_S = "5"
# A server we stand on is away or full; the same request may work in a moment.
AWAY = (OperationalError, InterfaceError, redis.ConnectionError, redis.TimeoutError)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return _answer(request, 413, "body_too_large", "That is too much", page="400")
    return _answer(request, 400, "bad_request", "This can't be read")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 403, "forbidden", "This page is not for you")


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404, "not_found", "Nothing here")


def server_error(request: HttpRequest) -> HttpResponse:
    """A bug is 500. PostgreSQL or Redis being away is 503, and the page says so."""
    if isinstance(sys.exc_info()[1], AWAY):
        return unavailable(request)
    return _answer(request, 500, "internal", "That was our fault")


def unavailable(request: HttpRequest) -> HttpResponse:
    response = _answer(request, 503, "unavailable", "One moment, please")
    response["Retry-After"] = RETRY_AFTER_S
    return response


def too_often(request: HttpRequest, *, retry_after_s: int) -> HttpResponse:
    response = _answer(request, 429, "rate_limited", "Too many tries", message=f"Try again in {retry_after_s} s.")
    response["Retry-After"] = str(retry_after_s)
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form came from another page or an old tab."""
    return _answer(request, 403, "csrf_failed", "This form is too old", message=reason, page="csrf")


def _answer(
    request: HttpRequest, status: int, code: str, title: str, *, message: str = "", page: str = ""
) -> HttpResponse:
    if request.path.startswith("/api/"):
        return JsonResponse({"error": {"code": code, "message": message or title}}, status=status)
    # Without the request: its context would read the session, and the database may be what is broken.
    html = render_to_string(f"errors/{page or status}.html", {"status": status, "title": title})
    return HttpResponse(html, status=status)
