"""The order token: a signed receipt of an admission.

Until the order has a row, nobody but Redis and this token know of it, so the token carries what its page shows. It is
deterministic: a repeated request is handed the same one. It opens one order and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import UUID

from django.core.signing import BadSignature, Signer

_SALT = "orders.token"  # nothing signed elsewhere in the house passes here
_FIELDS = re.compile(r"[0-9a-f]{32}(\.[0-9]+){7}", re.ASCII)


class BadToken(Exception):
    """This is no order token of ours, or a changed one."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the gate promised."""

    order_id: UUID
    user_id: int
    sale_id: int
    epoch: int
    seq: int
    quantity: int
    price_cents: int
    placed_at_ms: int

    @property
    def total_cents(self) -> int:
        return self.quantity * self.price_cents


def sign(receipt: Receipt) -> str:
    """The token: hex and digits between dots (no field can flow into the next), a colon, HMAC-SHA256."""
    numbers = (
        receipt.user_id,
        receipt.sale_id,
        receipt.epoch,
        receipt.seq,
        receipt.quantity,
        receipt.price_cents,
        receipt.placed_at_ms,
    )
    return _signer().sign(".".join([receipt.order_id.hex, *map(str, numbers)]))


def read(token: str) -> Receipt:
    """The receipt inside. Tokens signed with a key in SECRET_KEY_FALLBACKS still open.

    Raises:
        BadToken: one byte is not as it was signed.
    """
    try:
        fields = _signer().unsign(token)
    except BadSignature as error:
        raise BadToken(str(error)) from error
    if not _FIELDS.fullmatch(fields):
        raise BadToken("signed by us, in a form of another version")
    order_id, *numbers = fields.split(".")
    return Receipt(UUID(order_id), *map(int, numbers))


def _signer() -> Signer:
    return Signer(salt=_SALT)
