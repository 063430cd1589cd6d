"""What the buy button sends."""

from __future__ import annotations

from django import forms

from orders.errors import Refused


class BuyForm(forms.Form):
    idempotency_key = forms.RegexField(r"\A[A-Za-z0-9_-]{8,100}\Z")
    quantity = forms.IntegerField(min_value=1, max_value=2**31 - 1)

    def refusal(self) -> Refused:
        """The first thing wrong with it, said as every other refusal is."""
        if "quantity" in self.errors:
            return Refused("invalid", "The quantity is a whole number, 1 or more.")
        return Refused("missing_idempotency_key", "This form has lost its key. Open the sale again.")
