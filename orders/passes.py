"""The pass: proof that a session's user did the human check for one sale. Checked without a database.

It names user, sale and expiry, and is bound to the session's cookie: copied into another browser it is nothing. Because
it travels in a header of its own, which no other site can make a browser send, it is the proof against CSRF as well.

A pass is used as often as its buyer asks again; what may be bought with it, the gate decides. It outlives a log-out by
at most its life, and then only for somebody who still has the cookie.
"""

from __future__ import annotations

import hashlib
import time

from django.conf import settings

from orders.seals import BrokenSeal, Seal

_seal = Seal("orders.pass", fields=3)


class BadPass(Exception):
    """No pass of ours, or of another sale or session."""


def issue(*, user_id: int, sale_id: int, session_key: str, now_s: float | None = None) -> tuple[str, int]:
    """A pass, and when it expires in seconds since 1970: settings.PASS_LASTS_S from now."""
    expires_s = int(time.time() if now_s is None else now_s) + settings.PASS_LASTS_S
    return _seal.close(str(user_id), str(sale_id), str(expires_s), bound=bound_to(session_key)), expires_s


def check(text: str, *, sale_id: int, session_key: str, now_s: float | None = None) -> tuple[int, bool]:
    """Whose pass it is, and whether it still holds.

    The clock is this machine's, so that machines may differ by minutes: whoever holds a pass renews it long before its
    end, and when a sale is open is the gate's to say.

    Raises:
        BadPass: anything but a pass for this sale, made for this session.
    """
    try:
        user, sale, expires = _seal.open(text, bound=bound_to(session_key))
    except BrokenSeal as error:
        raise BadPass(str(error)) from error
    if int(sale) != sale_id:
        raise BadPass(f"for sale {sale}")
    return int(user), (time.time() if now_s is None else now_s) < int(expires)


def bound_to(session_key: str) -> str:
    """What stands for a session in a MAC: nothing that opens the session."""
    return hashlib.sha256(session_key.encode()).hexdigest()
