"""The order token: a signed receipt of an admission.

Until the order has a row, nobody but Redis and this token know of it, so the token carries what its page shows. It is
deterministic: a repeated request is handed the same one. It opens one order and nothing else.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from orders.seals import BrokenSeal, Seal

_seal = Seal("orders.token", fields=8)


class BadToken(Exception):
    """This is no order token of ours, or a changed one."""


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What the gate promised. The names are those of orders.OrderPlaced."""

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
    return _seal.close(
        receipt.order_id.hex,
        str(receipt.user_id),
        str(receipt.sale_id),
        str(receipt.epoch),
        str(receipt.seq),
        str(receipt.quantity),
        str(receipt.price_cents),
        str(receipt.placed_at_ms),
    )


def read(token: str) -> Receipt:
    """The receipt inside. Tokens signed with a key in SECRET_KEY_FALLBACKS still open.

    Raises:
        BadToken: one byte is not as it was signed.
    """
    try:
        order_id, *numbers = _seal.open(token)
    except BrokenSeal as error:
        raise BadToken(str(error)) from error
    return Receipt(UUID(order_id), *map(int, numbers))
