"""The OpenAPI document of what the order API takes and says, made of the structs and reasons that the code uses."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec

from orders.answers import Failure, InLine, Ordered, Passed, SoldOut
from orders.errors import REASONS
from orders.human_check import Solved
from orders.proof_of_work import Challenge
from orders.purchase import Purchase

UNREADABLE = ["malformed_json", "invalid", "body_too_large"]
HEADERS = {
    "Sale-Pass": (True, "From POST /api/sales/{id}/pass, with the session it was made for."),
    "Idempotency-Key": (True, "8 to 100 letters, digits, '_' or '-'. The same one for every attempt."),
    "Idempotency-Attempt": (False, "1 for the first request with this key, 2 for the next …"),
}
TAKES = {"order": list(HEADERS), "line": ["Sale-Pass"]}
ANSWERS: dict[str, dict[int, type[msgspec.Struct]]] = {
    "challenge": {200: Challenge},
    "pass": {201: Passed},
    "order": {202: Ordered, 200: SoldOut},
    "line": {200: InLine},
}
REFUSALS = {
    "challenge": ["not_logged_in", "unknown_sale", "rate_limited", "unavailable"],
    "pass": ["not_logged_in", "csrf_failed", "bad_proof", "rate_limited", "unavailable", *UNREADABLE],
    "order": [
        *("no_pass", "pass_expired", "bad_pass", "missing_idempotency_key", "idempotency_conflict", *UNREADABLE),
        *("unknown_sale", "not_started", "ended", "paused", "over_limit", "rate_limited", "queue_full", "unavailable"),
        *("room_closed", "not_in_line", "turn_lapsed", "not_your_turn"),
    ],
    "line": [
        *("no_pass", "pass_expired", "bad_pass", "unknown_sale", "ended", "room_closed", "rate_limited", "unavailable"),
    ],
}
BODIES: dict[str, type[msgspec.Struct]] = {"pass": Solved, "order": Purchase}


def described(operation: str) -> dict[str, Any]:
    """openapi_extra of one operation."""
    said: dict[str, Any] = {"responses": {}}
    if operation in BODIES:
        said["requestBody"] = {"required": True, "content": _json(_schema(BODIES[operation]))}
    if operation in TAKES:
        said["parameters"] = [
            {"name": name, "in": "header", "required": required, "description": text, "schema": {"type": "string"}}
            for name, (required, text) in HEADERS.items()
            if name in TAKES[operation]
        ]
    for status, struct in ANSWERS[operation].items():
        said["responses"][status] = {"description": struct.__doc__ or "", "content": _json(_schema(struct))}
    by_status = defaultdict(list)
    for code in REFUSALS[operation]:
        by_status[REASONS[code].status].append(code)
    for status, codes in by_status.items():
        schema = _schema(Failure)
        schema["properties"]["error"]["properties"]["code"]["enum"] = codes
        meaning = " ".join(f"`{code}`: {REASONS[code].message}" for code in codes)
        said["responses"][status] = {"description": meaning, "content": _json(schema)}
    return said


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _schema(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Its JSON schema with nothing to look up elsewhere."""
    whole = msgspec.json.schema(struct)
    parts = whole.pop("$defs")

    def filled(part: Any) -> Any:
        if isinstance(part, dict):
            if "$ref" in part:
                return filled(parts[part["$ref"].rpartition("/")[2]])
            return {name: filled(value) for name, value in part.items()}
        return [filled(each) for each in part] if isinstance(part, list) else part

    found: dict[str, Any] = filled(whole)
    return found
