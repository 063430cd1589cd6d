"""What the tests of buying share: a pass without its puzzle, and a puzzle solved."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from django.test import Client

from orders import passes


def session_of(client: Client) -> str:
    return client.cookies["sessionid"].value


def pass_for(client: Client, sale_id: int = 7, *, now_s: float | None = None) -> str:
    """As POST /api/sales/{id}/pass gives it to this client's session."""
    user_id = int(client.session["_auth_user_id"])
    return passes.issue(user_id=user_id, sale_id=sale_id, session_key=session_of(client), now_s=now_s)[0]


def solve(challenge: dict[str, Any]) -> str:
    """What ALTCHA's widget answers."""
    for number in range(challenge["maxnumber"] + 1):
        if hashlib.sha256(f"{challenge['salt']}{number}".encode()).hexdigest() == challenge["challenge"]:
            kept = {name: challenge[name] for name in ("algorithm", "challenge", "salt", "signature")}
            return base64.b64encode(json.dumps({**kept, "number": number}).encode()).decode()
    raise AssertionError("a puzzle without a solution")
