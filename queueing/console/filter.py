"""Which dead letters are meant, as the forms of the operator's pages say it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.http import urlencode

from queueing.console.choosing import Choice
from queueing.console.letters import LATEST_MS, CursorToken
from queueing.console.plain import visible
from queueing.dead import Cursor

NAMED = ("group", "event", "key", "reason", "text")
ONLY = {"": None, "quarantined": True, "others": False}


class Filter(forms.Form):
    """What is left empty is any."""

    group = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    text = forms.CharField(
        required=False,
        max_length=200,
        label="Search",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "id, key, name, reason, traceback"}),
    )
    event = forms.CharField(required=False, max_length=200)
    key = forms.CharField(required=False, max_length=200)
    reason = forms.CharField(required=False, max_length=200, label="Reason contains")
    only = forms.ChoiceField(
        required=False,
        label="Show",
        choices=[("", "all"), ("quarantined", "quarantined"), ("others", "not quarantined")],
    )
    order = forms.ChoiceField(required=False, label="First", choices=[("", "the newest"), ("oldest", "the oldest")])
    before_ms = forms.IntegerField(required=False, min_value=0, max_value=LATEST_MS, widget=forms.HiddenInput)

    @property
    def named(self) -> dict[str, str]:
        """What was said of them."""
        return {name: visible(value) for name in NAMED if (value := self.cleaned_data[name])}

    @property
    def narrows(self) -> bool:
        """More than the group."""
        return bool(self.named.keys() - {"group"} or self.cleaned_data["only"])

    @property
    def query(self) -> str:
        return urlencode({name: value for name in (*NAMED, "only", "order") if (value := self.cleaned_data[name])})

    def choice(self, *, limit: int | None = None) -> Choice:
        facts: dict[str, Any] = {name: self.cleaned_data[name] for name in (*NAMED, "before_ms")}
        return Choice(
            **facts,
            quarantined=ONLY[self.cleaned_data["only"]],
            newest_first=self.cleaned_data["order"] != "oldest",
            limit=limit,
        )


def cursor(text: str) -> Cursor | None:
    """
    Raises:
        ValueError: this names no place among dead letters.
    """
    return CursorToken.parse(text) if text else None
