"""What can go wrong with money. Each docstring is the message a person reads."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID


class PaymentError(Exception):
    """Something went wrong with a payment."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or (self.__doc__ or "").strip())


class ProviderUnavailable(PaymentError):
    """The bank does not answer. Nothing was charged; try again in a moment."""


class ProviderRefused(PaymentError):
    """The bank refuses this request; asking again with the same request will not help."""


class UnknownRefund(PaymentError):
    """A refund was asked for that has no row, though both are written in one transaction."""


class BankTooSlow(PaymentError):
    """The bank takes so long for each refund that they are asked for a few at a time. Nothing was recorded.

    left: the ids it was not asked for.
    """

    def __init__(self, left: Collection[UUID]) -> None:
        super().__init__(f"the bank is slow: {len(left)} refund(s) are asked for later")
        self.left = frozenset(left)


class WebhookRejected(PaymentError):
    """This call did not come from the bank as it is. Nothing was stored or changed."""

    def __init__(self, code: str, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.code = code
        self.status = status
