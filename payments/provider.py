"""What the shop asks of a payment provider, in two verbs. The provider answers about money by webhook only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, cast
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class CreatedCharge:
    """id: the provider's own, up to 64 of A-Z a-z 0-9 _ -. url: where the buyer pays."""

    id: str
    url: str


class Provider(Protocol):
    """A payment provider.

    Both verbs take an idempotency key of the shop's: the same key with the same arguments does the thing once and
    gives the same answer, however often it is asked, so a caller that died may simply ask again. The same key with
    other arguments is refused. Amounts are integer cents.

    Whether a charge was paid is told by webhook (payments/webhooks.py), signed, at least once, in any order:
    `charge.captured` once the provider has the money, `charge.declined` for every try that failed. A declined
    charge stays open and its page can be tried again.

    Raises, both verbs:
        ProviderUnavailable: no answer; whether it was done is unknown. Ask again with the same key.
        ProviderRefused: it will not be done, now or later.
    """

    def create_charge(
        self, *, order_id: UUID, amount_cents: int, currency: str, return_url: str, idempotency_key: str
    ) -> CreatedCharge:
        """Open a charge and the page where the buyer pays it; the buyer comes back to `return_url`."""
        ...

    def refund(self, *, charge_id: str, amount_cents: int, idempotency_key: str) -> None:
        """Send money of a captured charge back. Returning means it is sent."""
        ...


def provider() -> Provider:
    """The provider named by settings.PAYMENT_PROVIDER."""
    return cast(Provider, import_string(settings.PAYMENT_PROVIDER)())
