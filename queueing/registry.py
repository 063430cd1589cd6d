"""Every subscription of the house, found in the apps' `handlers.py`."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

from queueing.subscription import Subscription


def subscriptions(apps: Iterable[str]) -> dict[str, Subscription]:
    """Consumer group → subscription, from `<app>.handlers.SUBSCRIPTION` of each app that has one.

    Raises:
        ValueError: two apps claim one group, each of which would miss half of its messages; or an app's handlers end
            without a SUBSCRIPTION.
    """
    found: dict[str, Subscription] = {}
    for app in apps:
        if find_spec(f"{app}.handlers") is None:
            continue
        subscription = getattr(import_module(f"{app}.handlers"), "SUBSCRIPTION", None)
        if not isinstance(subscription, Subscription):
            raise ValueError(f"{app}/handlers.py does not end with SUBSCRIPTION = Subscription(…)")
        if subscription.group in found:
            raise ValueError(f"consumer group {subscription.group!r} is claimed by two apps; {app} is the second")
        found[subscription.group] = subscription
    return found
