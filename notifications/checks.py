"""`manage.py check` finds a wrong NOTIFICATIONS setting before a message is lost on it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string


@register
def check_provider(**_kwargs: Any) -> list[CheckMessage]:
    """NOTIFICATIONS["PROVIDER"] names a class that can be made with OPTIONS and sends batches."""
    wanted = getattr(settings, "NOTIFICATIONS", {}).get("PROVIDER")
    if not wanted:
        return [Error("settings.NOTIFICATIONS['PROVIDER'] is not set.", id="notifications.E001", hint=_HINT)]
    try:
        made = import_string(wanted)(**settings.NOTIFICATIONS.get("OPTIONS", {}))
    except (ImportError, TypeError, ValueError) as error:
        problem = f"settings.NOTIFICATIONS['PROVIDER'] = {wanted!r} can't be made: {error}"
        return [Error(problem, id="notifications.E002", hint=_HINT)]
    if not callable(getattr(made, "send_batch", None)):
        problem = f"settings.NOTIFICATIONS['PROVIDER'] = {wanted!r} has no send_batch()."
        return [Error(problem, id="notifications.E003", hint="notifications.provider.Provider is its contract.")]
    return []


_HINT = 'For the demo: NOTIFICATIONS = {"PROVIDER": "notifications.demo_phone.DemoPhone"}'
