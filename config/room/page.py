"""A page of the room, inside the admin's frame."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse


def page(request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """template: in config/templates/room/; it extends queueing/console/frame.html, which shows `banner`."""
    everything = {**admin.site.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"room/{template}", everything, status=status)
