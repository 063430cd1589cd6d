"""Two roles of the staff: who may act in the operator's room, and who may look.

Not a data migration: Django makes permissions after the last migration, so none could be given in one. After each
`migrate` both groups have at least what is said here, models that are new included. Whoever wants less makes a group of
their own; what was given by hand stays.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps as installed
from django.conf import settings
from django.db.models import Q
from django.db.models.signals import post_migrate

OPERATOR, READER = "operator", "read-only"

# Seen by both. People and their roles are the superuser's: telephone numbers, and who may do what.
_SEEN = Q(codename__startswith="view_", content_type__app_label__in=[*settings.HOUSE, "queueing", "admin"])
_NOT_SEEN = Q(content_type__app_label="shop", codename="view_user")
_ACTS = (
    ("queueing", "operate"),
    ("shop", "add_product"),
    ("shop", "change_product"),
    ("shop", "add_sale"),
    ("shop", "change_sale"),
)


def give_roles(*, apps: Any = installed, using: str = "default", **_signal: Any) -> None:
    """Make both groups and give them what they lack; called after each `migrate`, it changes nothing twice."""
    try:
        groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # it migrated to before there were any
        return
    acts = Q()
    for app, codename in _ACTS:
        acts |= Q(content_type__app_label=app, codename=codename)
    may = permissions.objects.using(using)
    for name, what in ((READER, _SEEN & ~_NOT_SEEN), (OPERATOR, _SEEN & ~_NOT_SEEN | acts)):
        group, _ = groups.objects.using(using).get_or_create(name=name)
        group.permissions.add(*may.filter(what))


def connect() -> None:
    """To the app that is told last: by then the permissions of all others are made."""
    last = [app for app in installed.get_app_configs() if app.models_module][-1]
    post_migrate.connect(give_roles, sender=last, dispatch_uid="config.roles")
