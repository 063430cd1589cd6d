"""What an HTTP answer to an order means to its buyer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

OK, FAIL, INFO = "ok", "fail", "info"
GATEWAY_DOES_NOT_KNOW = {0, 500, 502, 503, 504}  # 0: no answer at all
COME_BACK = {408, 425, 429}  # refused for now, nothing was done
GOES_ON = {"paused"}  # refused by a sale that will go on


@dataclass(frozen=True, slots=True)
class Answer:
    """outcome: ok, fail or info. again_s: come back with the same key after so many seconds; None: it is final."""

    outcome: str
    code: str | None
    again_s: float | None
    body: dict[str, Any]


def read(status: int, text: str | None, retry_after: str | None) -> Answer:
    """A 202 with an order is yes. What nobody knows is asked again with the same key: that is what the key is for."""
    body = _object(text)
    if status == 202 and "order_id" in body:
        return Answer(OK, None, None, body)
    if status == 200 and body.get("status") == "sold_out":  # a state of the sale, and no order
        return Answer(FAIL, "sold_out", None, body)
    wait_s = _seconds(retry_after)
    if status in GATEWAY_DOES_NOT_KNOW or status == 202:
        return Answer(INFO, _code(body) or f"http_{status}", wait_s, body)
    if status in COME_BACK or _code(body) in GOES_ON:
        return Answer(FAIL, _code(body) or f"http_{status}", wait_s, body)
    return Answer(FAIL, _code(body) or f"http_{status}", None, body)


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _code(body: dict[str, Any]) -> str | None:
    error = body.get("error")
    return error.get("code") if isinstance(error, dict) else None


def _seconds(retry_after: str | None) -> float:
    """Between half a second and ten: a shopper is impatient, a crowd must not be."""
    try:
        return min(10.0, max(0.5, float(retry_after or 1)))
    except ValueError:
        return 1.0
