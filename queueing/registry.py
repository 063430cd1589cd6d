"""Every subscription of the house, found in the apps' `handlers.py`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

from queueing.subscription import Subscription


def subscriptions(apps: Iterable[str]) -> dict[str, Subscription]:
    """Consumer group → subscription, from `<app>.handlers.SUBSCRIPTION` of each app that has one.

    Raises:
        ValueError: two apps claim one group; each would miss half of its messages.
    """
    found: dict[str, Subscription] = {}
    for app in apps:
        if find_spec(f"{app}.handlers") is None:
            continue
        subscription = import_module(f"{app}.handlers").SUBSCRIPTION
        if subscription.group in found:
            raise ValueError(f"consumer group {subscription.group!r} is claimed by two apps; {app} is the second")
        found[subscription.group] = subscription
    return found
