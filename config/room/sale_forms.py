"""What an operator types about a sale."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.core.exceptions import ValidationError

from shop.models import LONGEST_NOTICE, WaitingRoom


class StockForm(forms.Form):
    quantity = forms.IntegerField(min_value=1, max_value=1_000_000)
    addition = forms.UUIDField(required=False)  # of the page: a double click adds once


class RoomForm(forms.Form):
    mode = forms.ChoiceField(choices=WaitingRoom.choices)
    turns_per_s = forms.IntegerField(min_value=1, max_value=100_000)


class NoticeForm(forms.Form):
    text = forms.CharField(max_length=LONGEST_NOTICE, required=False)


class CloseForm(forms.Form):
    sure = forms.BooleanField(error_messages={"required": "Tick the box first: nothing opens this sale again."})


def cleaned(form: forms.Form) -> dict[str, Any]:
    """
    Raises:
        ValidationError: what is wrong, in words.
    """
    if not form.is_valid():
        raise ValidationError([error for errors in form.errors.values() for error in cast(list[str], errors)])
    return form.cleaned_data
