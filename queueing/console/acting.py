"""What every action on a group begins and ends with: may they, which group, and back to where they came from."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from queueing.conf import subscriptions
from queueing.console.plain import visible
from queueing.console.views import OPERATE
from queueing.subscription import Subscription

AWAY = "Redis does not answer, so nothing was changed. Look again."


def check_operator(request: HttpRequest) -> None:
    if not request.user.has_perm(OPERATE):
        raise PermissionDenied("this needs the permission queueing.operate")


def subscription_called(name: str) -> Subscription:
    try:
        return subscriptions()[name]
    except KeyError:
        raise Http404(visible(f"no group is called {name!r}")) from None


def back(request: HttpRequest, group: str) -> HttpResponseBase:
    """To the consumers on the page of the whole queue, if the form says so, else to the group's own."""
    if request.POST.get("from") == "queue":
        return redirect(f"{reverse('admin:queueing_queue_changelist')}#consumers-title")
    return redirect(f"{reverse('admin:queueing_queue_group')}?{urlencode({'group': group})}")
