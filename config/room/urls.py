"""The room's addresses, all under /admin/room/."""

from __future__ import annotations

from django.urls import path

from config.room import funnel

app_name = "room"
urlpatterns = [
    path("funnel/", funnel.show, name="funnel"),
]
