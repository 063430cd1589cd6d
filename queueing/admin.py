"""The operator's pages, as the admin's pages of the model `Queue`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, path

from queueing.console import chart_views, crew_views, export_views, group_views, letter_views, matching_views, views
from queueing.console.records import RecordAdmin
from queueing.models import Queue


@admin.register(Queue)
class QueueAdmin(RecordAdmin):
    def get_urls(self) -> list[URLPattern]:
        staff_only = self.admin_site.admin_view
        return [
            path("", staff_only(views.queue), name="queueing_queue_changelist"),
            path("sample/", staff_only(views.sample), name="queueing_queue_sample"),
            path("stream/", staff_only(views.stream), name="queueing_queue_stream"),
            path("history/", staff_only(chart_views.history), name="queueing_queue_history"),
            path("dead/", staff_only(letter_views.dead), name="queueing_queue_dead"),
            path("dead/letter/", staff_only(letter_views.letter), name="queueing_queue_letter"),
            path("dead/act/", staff_only(letter_views.act), name="queueing_queue_act"),
            path("dead/matching/", staff_only(matching_views.matching), name="queueing_queue_matching"),
            path("dead/export/", staff_only(export_views.export), name="queueing_queue_export"),
            path("dead/run/<uuid:run_id>/", staff_only(matching_views.run), name="queueing_queue_run"),
            path(
                "dead/run/<uuid:run_id>/state/", staff_only(matching_views.run_state), name="queueing_queue_run_state"
            ),
            path("dead/run/<uuid:run_id>/begin/", staff_only(matching_views.begin), name="queueing_queue_run_begin"),
            path("dead/run/<uuid:run_id>/stop/", staff_only(matching_views.stop), name="queueing_queue_run_stop"),
            path("group/", staff_only(group_views.group), name="queueing_queue_group"),
            path("group/pause/", staff_only(group_views.pause), name="queueing_queue_pause"),
            path("group/scale/", staff_only(crew_views.scale), name="queueing_queue_scale"),
            path("group/reset/", staff_only(group_views.reset), name="queueing_queue_reset"),
        ]

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Every operator may look; acting needs queueing.operate."""
        return bool(request.user.is_staff)
