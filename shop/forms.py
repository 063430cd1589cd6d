"""Accounts, and what an operator may type."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from shop.models import User


class RegisterForm(forms.ModelForm):  # type: ignore[type-arg]  # generic only in the stubs
    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
    )

    class Meta:
        model = User
        fields = ["username", "phone", "email"]
        widgets = {
            "username": forms.TextInput(
                attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}
            ),
            "phone": forms.TextInput(attrs={"type": "tel", "autocomplete": "tel", "placeholder": "+49 30 1234567"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email", "placeholder": "you@example.com"}),
        }
        help_texts = {
            "username": "Letters, digits and @ . + - _",
            "phone": "For messages about your orders. In this demonstration they appear on the page Phone.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = " ".join(password_validators_help_texts())
        self.fields["phone"].required = self.fields["email"].required = True

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=username).exists():
            raise forms.ValidationError("This name is taken. Please choose another.", code="unique")
        return username

    def _post_clean(self) -> None:
        """The password is judged last, against the finished user: it must not resemble the name."""
        super()._post_clean()  # type: ignore[misc]
        if password := self.cleaned_data.get("password"):
            try:
                validate_password(password, self.instance)
            except forms.ValidationError as error:
                self.add_error("password", error)

    def save(self, commit: bool = True) -> User:
        self.instance.set_password(self.cleaned_data["password"])
        user: User = super().save(commit)
        return user


class AddStockForm(forms.Form):
    quantity = forms.IntegerField(
        min_value=1, max_value=1_000_000, label="Units to add", widget=UnfoldAdminIntegerFieldWidget
    )
