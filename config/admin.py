"""The log of what was done, in the admin: by the staff on these pages, and by whoever has a terminal on the machine."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from unfold.decorators import display

from queueing.console.plain import visible
from queueing.console.records import RecordAdmin


@admin.register(LogEntry)
class LogAdmin(RecordAdmin):
    """Everybody on the staff may read it; nobody changes it here."""

    list_display = ["at", "user", "kind", "about", "said"]
    list_display_links = ["at"]
    list_filter = [
        ("user", admin.RelatedOnlyFieldListFilter),
        ("content_type", admin.RelatedOnlyFieldListFilter),
        "action_flag",
        "action_time",
    ]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__username", "object_repr", "change_message"]
    fields = ["at", "user", "kind", "about", "said"]

    @display(description="When (UTC)", ordering="action_time")
    def at(self, entry: LogEntry) -> str:
        return f"{entry.action_time:%Y-%m-%d %H:%M:%S}"

    @display(description="Kind", label={"Added": "success", "Deleted": "danger", "Changed": "info"})
    def kind(self, entry: LogEntry) -> str:
        return "Added" if entry.is_addition() else "Deleted" if entry.is_deletion() else "Changed"

    @display(description="About")
    def about(self, entry: LogEntry) -> str:
        return visible(entry.object_repr)

    @display(description="What, and how many")
    def said(self, entry: LogEntry) -> str:
        return visible(str(entry.get_change_message()))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_staff)
