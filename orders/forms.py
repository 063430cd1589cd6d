"""What the buy button sends."""

from __future__ import annotations

from django import forms

from orders import admission
from orders.errors import Refused


class BuyForm(forms.Form):
    idempotency_key = forms.CharField(strip=False)
    quantity = forms.IntegerField(min_value=1, max_value=admission.MOST_UNITS)

    def clean_idempotency_key(self) -> str:
        key: str = self.cleaned_data["idempotency_key"]
        if not admission.is_well_formed(key):
            raise forms.ValidationError("malformed")
        return key

    def refusal(self) -> Refused:
        """The first thing wrong with it, said as every other refusal is."""
        if "quantity" in self.errors:
            return Refused("invalid", f"The quantity is a whole number from 1 to {admission.MOST_UNITS}.")
        return Refused("missing_idempotency_key", "This form has lost its key. Open the sale again.")
