"""The room's addresses, all under /admin/room/."""

from __future__ import annotations

from django.urls import path

from config.room import faults, funnel

app_name = "room"
urlpatterns = [
    path("funnel/", funnel.show, name="funnel"),
    path("faults/", faults.show, name="faults"),
    path("faults/live/", faults.live, name="faults-live"),
    path("faults/stream/", faults.stream, name="faults-stream"),
    path("faults/begin/", faults.begin, name="faults-begin"),
    path("faults/end/", faults.end, name="faults-end"),
]
