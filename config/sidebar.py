"""The admin's sidebar: what an operator comes for, in the order of an order's way."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

# Title, icon, model.
SHOP = [
    ("Products", "inventory_2", "shop.Product"),
    ("Sales", "sell", "shop.Sale"),
    ("Orders", "receipt_long", "orders.Order"),
    ("Stock ledger", "balance", "inventory.LedgerEntry"),
    ("Payments", "payments", "payments.Payment"),
    ("Shipments", "local_shipping", "logistics.Shipment"),
    ("Notifications", "sms", "notifications.Notification"),
    ("Incidents", "notification_important", "notifications.Incident"),
]
# Title, icon, address.
ROOM = [("Funnel", "filter_alt", "room:funnel"), ("Sales, live", "storefront", "room:sales")]
FAULTS = ("Fault room", "thunderstorm", "room:faults")
LOG = ("Log", "history", "admin:admin_logentry_changelist")
PEOPLE = [("Users", "person", "shop.User"), ("Groups", "group", "auth.Group")]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Everybody on the staff sees the queue and the room; of the rest, each what they may view."""
    queue = [
        _item(request, "Queue", "water", reverse("admin:queueing_queue_changelist"), exact=True),
        _item(request, "Dead letters", "dangerous", reverse("admin:queueing_queue_dead")),
    ]
    room = [*ROOM, *([FAULTS] if settings.FAULT_ROOM else []), LOG]
    return [
        {"title": "Message queue", "items": queue},
        {
            "title": "Operator's room",
            "items": [_item(request, title, icon, reverse(at)) for title, icon, at in room],
        },
        {"title": "Shop", "separator": True, "items": _models(request, SHOP)},
        {"title": "People", "separator": True, "items": _models(request, PEOPLE)},
    ]


def _models(request: HttpRequest, entries: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    found = []
    for title, icon, label in entries:
        options = apps.get_model(label)._meta
        if request.user.has_perm(f"{options.app_label}.view_{options.model_name}"):
            link = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
            found.append(_item(request, title, icon, link))
    return found


def _item(request: HttpRequest, title: str, icon: str, link: str, *, exact: bool = False) -> dict[str, Any]:
    here = request.path == link if exact else request.path.startswith(link)
    return {"title": title, "icon": icon, "link": link, "active": here}
