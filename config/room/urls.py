"""The room's addresses, all under /admin/room/."""

from __future__ import annotations

from django.urls import path

from config.room import faults, funnel, sale_actions, sales
from config.room.preview import views as preview

app_name = "room"
urlpatterns = [
    path("funnel/", funnel.show, name="funnel"),
    path("funnel/live/", funnel.live, name="funnel-live"),
    path("funnel/stream/", funnel.stream, name="funnel-stream"),
    path("faults/", faults.show, name="faults"),
    path("faults/live/", faults.live, name="faults-live"),
    path("faults/stream/", faults.stream, name="faults-stream"),
    path("faults/begin/", faults.begin, name="faults-begin"),
    path("faults/end/", faults.end, name="faults-end"),
    path("sales/", sales.sales, name="sales"),
    path("sales/<int:sale_id>/", sales.sale, name="sale"),
    path("sales/<int:sale_id>/sample/", sales.sample, name="sale_sample"),
    path("sales/<int:sale_id>/stream/", sales.stream, name="sale_stream"),
    path("sales/<int:sale_id>/act/", sale_actions.act, name="sale_act"),
    path("sales/<int:sale_id>/preview/", preview.previews, name="previews"),
    path("sales/<int:sale_id>/preview/<slug:name>/", preview.preview, name="preview"),
]
