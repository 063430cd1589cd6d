"""The order API: get a pass, place an order, and follow one.

Placing an order is answered by the fast lane (orders/lane.py); the view here documents it, and answers alike wherever
the lane isn't mounted.
"""

from __future__ import annotations

from datetime import datetime
from time import perf_counter_ns
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException
from ninja import Router
from ninja.utils import check_csrf

from orders import admission, answers, cookies, human_check, line, purchase, selectors
from orders.errors import Refused
from orders.openapi import described
from orders.purchase import Ask
from orders.selectors import OrderView, Stranger
from orders.tallies import note_in_a_thread
from orders.tokens import BadToken

router = Router(tags=["orders"])


class BuyerRequest(HttpRequest):
    """A request whose buyer is known."""

    auth: AbstractBaseUser


def logged_in(request: HttpRequest) -> AbstractBaseUser:
    """The session's user."""
    if not request.user.is_authenticated:
        raise Refused("not_logged_in")
    return request.user


def asks(request: HttpRequest) -> AbstractBaseUser:
    """The session's user, who wants something of a sale, and not too often. Too many from one address are refused
    before the session is looked up."""
    admission.count_question(sale_id=_sale_of(request), client=request.META.get("REMOTE_ADDR", ""))
    user = logged_in(request)
    admission.count_question(sale_id=_sale_of(request), user_id=user.pk)
    return user


def asks_here(request: HttpRequest) -> AbstractBaseUser:
    """The same, with a CSRF token that proves the request came from our pages.

    django-ninja exempts its views from CSRF, and checks it only in cookie authentication of its own.
    """
    user = asks(request)
    if check_csrf(request) is not None:  # compares a cookie with a header: no I/O
        raise Refused("csrf_failed")
    return user


def _sale_of(request: HttpRequest) -> int:
    assert request.resolver_match is not None
    return int(request.resolver_match.kwargs["sale_id"])


@router.get("/sales/{int:sale_id}/challenge", url_name="challenge", auth=asks, openapi_extra=described("challenge"))
def challenge(request: BuyerRequest, sale_id: int) -> HttpResponse:
    """The human check: an ALTCHA puzzle for this buyer, session and sale. Solve it while you wait for the start."""
    found = human_check.begin(sale_id=sale_id, user_id=request.auth.pk, session_key=_session_key(request))
    return answers.as_http(answers.answered(200, found))


@router.post("/sales/{int:sale_id}/pass", url_name="pass", auth=asks_here, openapi_extra=described("pass"))
def take_pass(request: BuyerRequest, sale_id: int) -> HttpResponse:
    """A solved puzzle earns the pass that orders of this sale carry. A puzzle is good for one pass."""
    made = human_check.end(
        sale_id=sale_id, user_id=request.auth.pk, session_key=_session_key(request), body=_raw_body(request)
    )
    return answers.as_http(answers.answered(201, made))


@router.post("/sales/{int:sale_id}/orders", url_name="place_order", auth=None, openapi_extra=described("order"))
def place_order(request: HttpRequest, sale_id: int) -> HttpResponse:
    """Buy. 202 means admitted: the unit is yours and the order is on disk, in the queue.

    The same Idempotency-Key gives the same order for ever; send it again whenever no answer came, and count your
    attempts in Idempotency-Attempt. The pass says who is asking, and proves that the request comes from our pages: no
    other site can make a browser send its header.
    """
    since = perf_counter_ns()
    answer = purchase.buy_sync(_ask(request, sale_id))
    note_in_a_thread(answer.outcome, since)
    return answers.as_http(answer)


@router.post("/sales/{int:sale_id}/line", url_name="line", auth=None, openapi_extra=described("line"))
async def join_line(request: HttpRequest, sale_id: int) -> HttpResponse:
    """Take a place in the sale's waiting room, or be told the one you have. Safe to repeat."""
    return answers.as_http(await line.join(_ask(request, sale_id)))


@router.delete("/sales/{int:sale_id}/line", auth=None, openapi_extra=described("line"))
async def leave_line(request: HttpRequest, sale_id: int) -> HttpResponse:
    """Give the place back; its turn goes to somebody else."""
    return answers.as_http(await line.leave(_ask(request, sale_id)))


@router.get("/orders/{uuid:order_id}", url_name="order", auth=None)
def order(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """An order and its history, for its owner's session or the bearer of its token; a stranger learns nothing."""
    user_id = request.user.pk if request.user.is_authenticated else None
    token = _bearer(request) or request.GET.get("token", "")
    if user_id is None and not token:
        raise Refused("not_logged_in", "Log in, or send the order's token.")
    try:
        view = selectors.order_for(order_id=order_id, user_id=user_id, token=token, cookie=cookies.kept_token(request))
    except BadToken as error:
        raise Refused("bad_token") from error
    except Stranger as error:
        raise Refused("unknown_order") from error
    response = JsonResponse(_as_json(view))
    response["Cache-Control"] = "private, no-store"
    return response


def _ask(request: HttpRequest, sale_id: int) -> Ask:
    headers = request.headers
    return Ask(
        sale_id=sale_id,
        session_key=_session_key(request),
        sale_pass=headers.get("Sale-Pass", ""),
        key=headers.get("Idempotency-Key", ""),
        attempt=headers.get("Idempotency-Attempt", ""),
        body=_raw_body(request),
        client=request.META.get("REMOTE_ADDR", ""),
    )


def _session_key(request: HttpRequest) -> str:
    return request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")


def _raw_body(request: HttpRequest) -> bytes | None:
    """None: larger than anybody reads."""
    try:
        return request.body  # Django refuses a declared length over the limit here, before reading
    except RequestDataTooBig:
        return None
    except RawPostDataException as error:  # it came as a form and was taken apart already
        raise Refused("malformed_json") from error


def _bearer(request: HttpRequest) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _as_json(view: OrderView) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "order_id": str(view.order_id),
        "sale": view.sale_id,
        "status": view.status,
        "quantity": view.quantity,
        "price_cents": view.price_cents,
        "total_cents": view.total_cents,
        "timeline": [{"status": step.status, "at": _text(step.at)} for step in view.timeline],
    }
    optional = {
        "place": view.place,
        "pay_url": view.pay_url,
        "due_at": _text(view.due_at) if view.due_at else None,
        "tracking_number": view.tracking_number,
        "reject_reason": view.reject_reason or None,
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
