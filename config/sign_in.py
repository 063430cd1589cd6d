"""How often one address may try to log in or to register.

A password is checked with scrypt, which costs 145 ms of a core on purpose: seven tries a second would keep one busy,
and whoever guesses passwords tries thousands.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from config.errors import too_often
from inventory import rates
from inventory.link import GateUnavailable

PATHS = {"/login", "/register", "/admin/login/"}


def sign_ins_per_address(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: 429 with Retry-After for a form that comes too soon, before anything looks at it."""

    def answer(request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.path in PATHS and settings.SIGN_IN_RATE[0]:
            wait_ms = _take_one(request.META.get("REMOTE_ADDR", ""))
            if wait_ms:
                return too_often(request, retry_after_s=ceil(wait_ms / 1000))
        return get_response(request)

    return answer


def bucket_of(address: str) -> str:
    """string: when this address's tries will have been forgotten, in microseconds; expires then."""
    return f"sign-in:{address}"


def _take_one(address: str) -> int:
    """0: there was room. Milliseconds to wait otherwise.

    Redis being away shuts nobody out: sessions and orders live in PostgreSQL, and the gateway's limit holds.
    """
    per_s, burst = settings.SIGN_IN_RATE
    try:
        return rates.wait_ms(bucket_of(address), per_s=per_s, burst=burst)
    except GateUnavailable:
        return 0
