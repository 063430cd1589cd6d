"""Who may enter the operator's room: the staff looks, and who has the permission acts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST, require_safe

from queueing.console.views import OPERATE

View: TypeAlias = Callable[..., HttpResponseBase]


def looks(view: View) -> View:
    """Staff only, GET and HEAD only; everybody else is sent to the admin's log-in."""
    return admin.site.admin_view(require_safe(view))


def acts_with(permission: str) -> Callable[[View], View]:
    """Staff with this permission, POST with a CSRF token only. Who lacks it gets 403, and nothing was done."""

    def behind_the_door(view: View) -> View:
        @wraps(view)
        def permitted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return admin.site.admin_view(require_POST(permitted))

    return behind_the_door


acts = acts_with(OPERATE)
