"""The shop's templates in an engine of their own: the same files, with other tags and a banner."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template import Context
from django.template.backends.django import DjangoTemplates

HERE = Path(__file__).parent / "templates"
GATEWAY = settings.BASE_DIR / "deploy" / "nginx"  # its page for who is shed
TAGS = "config.room.preview.widgets"
WIDGETS = (
    *("inventory_widgets", "orders_widgets", "payments_widgets", "logistics_widgets"),
    "notifications_widgets",
)


@cache
def _engine() -> DjangoTemplates:
    usual: dict[str, Any] = settings.TEMPLATES[0]
    return DjangoTemplates(
        {
            "NAME": "preview",
            "DIRS": [HERE, *usual["DIRS"], GATEWAY],
            "APP_DIRS": True,
            "OPTIONS": {"libraries": dict.fromkeys(WIDGETS, TAGS), "builtins": [TAGS]},
        }
    )


def render(template: str, facts: dict[str, Any]) -> str:
    found = _engine().engine.get_template(template)
    return str(found.render(Context(facts)))
