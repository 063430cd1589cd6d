"""The API of the house: every router under one roof, every error in one shape.

{"error": {"code": "sold_out", "message": "Sold out."}}
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from config.errors import AWAY
from inventory.api import router as inventory_router
from inventory.gate import GateUnavailable
from orders import answers
from orders.api import router as orders_router
from orders.errors import Refused

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2
CODES = {
    400: "bad_request",
    401: "not_logged_in",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "body_too_large",
    422: "invalid",
    429: "too_many_requests",
    503: "unavailable",
}

docs = "/docs" if settings.DEBUG else None
api = NinjaAPI(title="Sluice", version="1", docs_url=docs, openapi_url=docs and "/openapi.json")
api.add_router("", inventory_router)
api.add_router("", orders_router)


def error(status: int, code: str, message: str, *, retry_after_s: int | None = None) -> HttpResponse:
    """The one shape. Never cached: an error of this second is not the answer of the next."""
    return answers.as_http(answers.failed(status, code, message, retry_after_s=retry_after_s))


@api.exception_handler(Refused)
def refused(request: HttpRequest, why: Refused) -> HttpResponse:
    return answers.as_http(answers.refused(why))


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, why: HttpError) -> HttpResponse:
    code = CODES.get(why.status_code, "error")
    return error(why.status_code, code, why.message, retry_after_s=RETRY_AFTER_S if why.status_code == 503 else None)


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, why: ValidationError) -> HttpResponse:
    places = (".".join(str(part) for part in found["loc"]) + ": " + found["msg"] for found in why.errors)
    return error(422, "invalid", "; ".join(places))


@api.exception_handler(Http404)
def not_found(request: HttpRequest, why: Http404) -> HttpResponse:
    return error(404, "not_found", "Nothing here.")


@api.exception_handler(RequestDataTooBig)
def too_big(request: HttpRequest, why: RequestDataTooBig) -> HttpResponse:
    return error(413, "body_too_large", "The body is too large.")


def unreadable(request: HttpRequest, why: Exception | type[Exception]) -> HttpResponse:
    """The CSRF check reads a body as a form when its type says so, though it may be none, or one of 2,000 fields."""
    return error(400, "bad_request", "This can't be read.")


for senders_fault in (MultiPartParserError, SuspiciousOperation, BadRequest):
    api.add_exception_handler(senders_fault, unreadable)


def away(request: HttpRequest, why: Exception | type[Exception]) -> HttpResponse:
    """PostgreSQL or Redis is away. What was asked is unknown; asking again is safe, by its idempotency key."""
    logger.warning("503: %s: %s", type(why).__name__, why, extra={"status_code": 503})
    return error(503, "unavailable", "One moment, please: try again.", retry_after_s=RETRY_AFTER_S)


for cause in (*AWAY, GateUnavailable):
    api.add_exception_handler(cause, away)


@api.exception_handler(Exception)
def broken(request: HttpRequest, why: Exception) -> HttpResponse:
    """A bug: its trace is for the log, not for the caller."""
    logger.error("500: %s %s", request.method, request.path, exc_info=why)
    return answers.as_http(answers.BROKEN)
