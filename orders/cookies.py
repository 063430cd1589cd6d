"""How a buyer's browser sees its order before the order has a row: the token, kept in a cookie of that order's page."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orders.services import Placed

NAME, PLACE = "order_token", "/orders/"
_SECURE = "; Secure" if settings.SESSION_COOKIE_SECURE else ""
KEPT_S = 24 * 3600  # the row is there within seconds; a backlog of a day has no place in a cookie


def line(order_id: str, token: str) -> tuple[bytes, bytes]:
    """The header. Its path keeps other requests free of it."""
    kept = f"{NAME}={token}; HttpOnly; Max-Age={KEPT_S}; Path={PLACE}{order_id}; SameSite=Lax{_SECURE}"
    return b"set-cookie", kept.encode()


def keep_token(response: HttpResponse, placed: Placed) -> None:
    response.cookies.load(line(str(placed.order_id), placed.token)[1].decode())


def kept_token(request: HttpRequest) -> str:
    """The token this browser was given for the order of this path; '' for none."""
    return request.COOKIES.get(NAME, "")
