"""How a buyer's browser sees its order before the order has a row: the token, kept in cookies of that order's pages."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from orders.services import Placed

# A response carries one cookie of a name, so each place has its own.
PLACES = {"order_token": "/orders/", "order_api_token": "/api/orders/"}
KEPT_S = 24 * 3600  # the row is there within seconds; a backlog of a day has no place in a cookie


def lines(order_id: str, token: str) -> list[tuple[bytes, bytes]]:
    """One cookie for the order's page and one for its JSON: the path keeps other requests free of them."""
    secure = "; Secure" if settings.SESSION_COOKIE_SECURE else ""
    return [
        (
            b"set-cookie",
            f"{name}={token}; HttpOnly; Max-Age={KEPT_S}; Path={place}{order_id}; SameSite=Lax{secure}".encode(),
        )
        for name, place in PLACES.items()
    ]


def keep_token(response: HttpResponse, placed: Placed) -> None:
    for _, line in lines(str(placed.order_id), placed.token):
        response.cookies.load(line.decode())


def kept_token(request: HttpRequest) -> str:
    """The token this browser was given for the order of this path; '' for none."""
    return next((request.COOKIES[name] for name in PLACES if name in request.COOKIES), "")
