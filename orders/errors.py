"""Why an order was not placed: a code for programs, a sentence for people, a status for HTTP."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    status: int
    message: str
    retry_after_s: int | None = None


REASONS: dict[str, Reason] = {
    "not_logged_in": Reason(401, "Log in first."),
    "bad_token": Reason(401, "This order token is not one of ours, or was changed."),
    "csrf_failed": Reason(403, "The CSRF token is missing or wrong. Load the page again."),
    "no_pass": Reason(401, "This sale wants a pass: get one with POST /api/sales/{id}/pass, and send it as Sale-Pass."),
    "pass_expired": Reason(401, "This pass is too old. Get a new one and try again with the same Idempotency-Key."),
    "bad_pass": Reason(403, "This pass is not for this sale and session. Get a new one."),
    "bad_proof": Reason(403, "This proof of work is wrong, too old or spent. Ask for a new challenge."),
    "unknown_sale": Reason(404, "There is no such sale."),
    "unknown_order": Reason(404, "There is no such order, or it is not yours."),
    "malformed_json": Reason(400, "The body is not JSON."),
    "missing_idempotency_key": Reason(
        400, "Send an Idempotency-Key header: 8 to 100 letters, digits, '_' or '-'; the same one when you try again."
    ),
    "idempotency_conflict": Reason(409, "This Idempotency-Key was used for another order. Use a new one."),
    "not_started": Reason(409, "This sale has not started."),
    "ended": Reason(409, "This sale is over."),
    "paused": Reason(409, "This sale is paused. Nothing was ordered; it goes on shortly.", 5),
    "sold_out": Reason(200, "Sold out."),  # a state of the sale, not an error; a unit may come back
    "room_closed": Reason(409, "The waiting room is closed. Nobody is let in for now."),
    "not_in_line": Reason(409, "Join the line first: this sale has a waiting room."),
    "turn_lapsed": Reason(409, "Your turn has passed. Join the line again."),
    "not_your_turn": Reason(429, "It is not your turn yet.", 2),
    "over_limit": Reason(409, "That is more than one shopper may buy in this sale."),
    "body_too_large": Reason(413, "The body is too large; an order is a few bytes."),
    "invalid": Reason(422, "The body is not an order."),
    "rate_limited": Reason(429, "You ask too often. Nothing was ordered; try again in a moment.", 1),
    "queue_full": Reason(429, "Too many orders are waiting. Nothing was ordered; try again shortly.", 5),
    "unavailable": Reason(
        503, "We can't take orders this moment. Try again with the same Idempotency-Key: you won't buy twice.", 2
    ),
}


class Refused(Exception):
    """No order was placed (`unavailable`: nobody knows; asking again with the same key is safe)."""

    def __init__(
        self, code: str, message: str = "", *, retry_after_s: int | None = None, left: int | None = None
    ) -> None:
        reason = REASONS[code]
        self.code = code
        self.status = reason.status
        self.message = message or reason.message
        self.retry_after_s = retry_after_s or reason.retry_after_s
        self.left = left  # units, where that is the reason
        super().__init__(f"{code}: {self.message}")
