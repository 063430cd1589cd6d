"""Requests to buy as browsers send them, one for each shopper, ready to be written to a socket."""

from __future__ import annotations

import random
import string
import uuid

from loadtests.edge import client_address

BODY, CRLF = '{"quantity": 1}', "\r\n"


def wishes(count: int, *, sale: int, port: int) -> list[bytes]:
    """Distinct users, sessions, passes and keys."""
    from orders import passes

    dice = random.Random(sale)  # noqa: S311  the same crowd in every run
    letters = string.ascii_lowercase + string.digits
    made = []
    for user in range(1, count + 1):
        session = "".join(dice.choices(letters, k=32))
        text, _ = passes.issue(user_id=user, sale_id=sale, session_key=session)
        key = uuid.UUID(int=dice.getrandbits(128), version=4)
        lines = (
            f"POST /api/sales/{sale}/orders HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            f"X-Forwarded-For: {client_address(user)}",
            f"Cookie: csrftoken={session}; sessionid={session}",
            f"Sale-Pass: {text}",
            f"Idempotency-Key: {key}",
            "Idempotency-Attempt: 1",
            "Content-Type: application/json",
            f"Content-Length: {len(BODY)}",
        )
        made.append(f"{CRLF.join(lines)}{CRLF}{CRLF}{BODY}".encode())
    return made
