"""The demo bank as the shop sees it: `payments.provider.Provider` over the bank's own tables."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction
from django.urls import reverse

from payments.demo_bank.models import DemoCharge, DemoRefund
from payments.demo_bank.weather import take_your_time
from payments.errors import ProviderRefused
from payments.provider import CreatedCharge


class DemoBank:
    """Takes no money, but keeps its books like a bank: one charge per key, and no more back than was paid."""

    def create_charge(
        self, *, order_id: UUID, amount_cents: int, currency: str, return_url: str, idempotency_key: str
    ) -> CreatedCharge:
        take_your_time()
        asked = {"reference": str(order_id), "amount_cents": amount_cents, "currency": currency}
        charge, _ = DemoCharge.objects.get_or_create(
            idempotency_key=idempotency_key, defaults={**asked, "return_url": return_url}
        )
        if any(getattr(charge, name) != value for name, value in asked.items()):
            raise ProviderRefused(f"the key {idempotency_key!r} was used for another charge")
        return CreatedCharge(id=str(charge.id), url=reverse("payments:demo-bank", args=[charge.id]))

    def refund(self, *, charge_id: str, amount_cents: int, idempotency_key: str) -> None:
        take_your_time()
        with transaction.atomic():
            self._refund(charge_id, amount_cents, idempotency_key)

    def _refund(self, charge_id: str, amount_cents: int, idempotency_key: str) -> None:
        charge = DemoCharge.objects.select_for_update().filter(id=charge_id).first()
        if charge is None or charge.status != DemoCharge.Status.PAID or amount_cents != charge.amount_cents:
            raise ProviderRefused(f"no paid charge {charge_id} of {amount_cents} cents to pay back")
        before = DemoRefund.objects.filter(charge=charge).first()
        if before is None:
            DemoRefund.objects.create(idempotency_key=idempotency_key, charge=charge, amount_cents=amount_cents)
        elif before.idempotency_key != idempotency_key:
            raise ProviderRefused(f"charge {charge_id} was paid back already, as {before.idempotency_key}")
