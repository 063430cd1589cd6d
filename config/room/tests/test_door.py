"""Who may look into the operator's room, and who may act in it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from config.room.door import acts, acts_with, looks
from shop.models import User

pytestmark = pytest.mark.django_db
FUNNEL = "/admin/room/funnel/"


@pytest.fixture
def grace() -> User:
    return User.objects.create_user("grace", password="hopper", is_staff=True)


def ask(view, user: User, method: str = "POST", *, check_csrf: bool = False) -> HttpResponse:
    request: HttpRequest = getattr(RequestFactory(), method.lower())("/admin/room/lever/")
    request.user = user
    request._dont_enforce_csrf_checks = not check_csrf
    SessionMiddleware(lambda _: HttpResponse()).process_request(request)
    return view(request)


def pull(request: HttpRequest) -> HttpResponse:
    return HttpResponse("pulled")


def test_strangers_and_buyers_are_sent_to_the_log_in_and_the_staff_is_let_in(client: Client, grace: User) -> None:
    log_in = f"/admin/login/?next={FUNNEL}"
    assert client.get(FUNNEL).headers["Location"] == log_in
    client.force_login(User.objects.create_user("ada", password="lovelace"))
    assert client.get(FUNNEL).headers["Location"] == log_in

    client.force_login(grace)
    answer = client.get(FUNNEL)

    assert answer.status_code == 200
    assert b"Operator&#x27;s room" in answer.content, "the sidebar leads here"
    assert client.post(FUNNEL).status_code == 405


def test_looking_is_reading_only(grace: User) -> None:
    assert ask(looks(pull), grace, "GET").content == b"pulled"
    assert ask(looks(pull), grace, "POST").status_code == 405


@pytest.mark.parametrize(("door", "codename"), [(acts, "operate"), (acts_with("shop.change_sale"), "change_sale")])
def test_acting_needs_the_permission_a_post_and_a_token(door, codename: str, grace: User) -> None:
    with pytest.raises(Exception, match=r"^$") as refused:
        ask(door(pull), grace)
    assert refused.typename == "PermissionDenied"

    grace.user_permissions.add(Permission.objects.get(codename=codename))
    grace = User.objects.get(pk=grace.pk)

    assert ask(door(pull), grace).content == b"pulled"
    assert ask(door(pull), grace, "GET").status_code == 405
    assert ask(door(pull), grace, check_csrf=True).status_code == 403


def test_the_permission_lets_nobody_in_who_is_not_on_the_staff() -> None:
    ada = User.objects.create_user("ada", password="lovelace")
    ada.user_permissions.add(Permission.objects.get(codename="operate"))

    assert ask(acts(pull), User.objects.get(pk=ada.pk)).headers["Location"].startswith("/admin/login/")
