"""The order API: place one, and follow one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException
from ninja import Router
from ninja.utils import check_csrf

from orders import cookies, selectors, services
from orders.admission import MOST_UNITS
from orders.errors import Refused
from orders.selectors import OrderView, Stranger
from orders.tokens import BadToken

router = Router(tags=["orders"])


class BuyerRequest(HttpRequest):
    """A request whose buyer is known."""

    auth: AbstractBaseUser


class Purchase(msgspec.Struct, forbid_unknown_fields=True):
    """The whole body. Price, status and buyer are not the buyer's to say, so naming them is an error."""

    quantity: Annotated[int, msgspec.Meta(ge=1, le=MOST_UNITS)]


async def logged_in(request: HttpRequest) -> AbstractBaseUser:
    """The session's user, with a CSRF token that proves the request came from our pages.

    django-ninja exempts its views from CSRF, and checks it only in cookie authentication of its own.
    """
    user = await sync_to_async(_session_user)(request)
    if user is None:
        raise Refused("not_logged_in")
    if check_csrf(request) is not None:  # compares a cookie with a header: no I/O
        raise Refused("csrf_failed")
    return user


@router.post(
    "/sales/{int:sale_id}/orders",
    url_name="place_order",
    auth=logged_in,
    openapi_extra={
        "requestBody": {"content": {"application/json": {"schema": msgspec.json.schema(Purchase)}}},
        "parameters": [{"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string"}}],
    },
)
async def place_order(request: BuyerRequest, sale_id: int) -> HttpResponse:
    """Buy. 202 means admitted: the unit is yours and the order is on disk, in the queue.

    The same Idempotency-Key gives the same order for ever; send it again whenever no answer came.
    """
    key = request.headers.get("Idempotency-Key", "")
    if not key:
        raise Refused("missing_idempotency_key")
    purchase = _body(request)
    placed = await services.place_order(
        sale_id=sale_id,
        user_id=request.auth.pk,
        idempotency_key=key,
        quantity=purchase.quantity,
    )
    receipt = placed.receipt
    response = JsonResponse(
        {
            "order_id": str(placed.order_id),
            "token": placed.token,
            "status": placed.status,
            "place": placed.place,
            "quantity": receipt.quantity,
            "price_cents": receipt.price_cents,
            "total_cents": receipt.total_cents,
        },
        status=202,
    )
    response["Location"] = f"/api/orders/{placed.order_id}"
    cookies.keep_token(response, placed)
    return response


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


def _session_user(request: HttpRequest) -> AbstractBaseUser | None:
    user = request.user if request.user.is_authenticated else None
    services.let_go_of_the_database()
    return user


def _body(request: HttpRequest) -> Purchase:
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    try:
        raw = request.body  # Django refuses a declared length over the limit here, before reading
    except RequestDataTooBig as error:
        raise Refused("body_too_large") from error
    except RawPostDataException as error:  # it came as a form and was taken apart already
        raise Refused("malformed_json") from error
    if len(raw) > limit:
        raise Refused("body_too_large")
    try:
        purchase = msgspec.json.decode(raw, type=Purchase)
    except msgspec.ValidationError as error:
        raise Refused("invalid", f"The body is not an order: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused("malformed_json") from error
    if raw.count(b":") != len(Purchase.__struct_fields__):
        # JSON leaves open which of two wins: a gateway may have judged the one, and we would sell the other.
        raise Refused("invalid", "The body is not an order: a field is there twice.")
    return purchase


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
