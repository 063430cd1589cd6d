"""Anonymous, buyer, read-only and operator on every route and action of the house: config/tests/roles_table.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.template.response import SimpleTemplateResponse
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from config.roles import OPERATOR, READER, give_roles
from config.tests.roles_scene import Scene, make_scene
from config.tests.roles_table import ACTIONS, ROLES, rows
from queueing.conf import make_broker

TABLE = "config/tests/roles_table.py"


@pytest.fixture
def scene(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Pages are not rendered: this is about their doors, and a thousand of them are knocked at."""
    monkeypatch.setattr(SimpleTemplateResponse, "rendered_content", "")
    broker = make_broker()
    broker.redis.flushdb()
    yield make_scene(broker)
    broker.redis.flushdb()
    broker.redis.close()


def routes(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for pattern in resolver.url_patterns:
        route = f"{before}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        elif isinstance(pattern, URLPattern):
            yield "admin/<app_label>/" if "(?P<app_label>" in route else route


def missing(found: Iterable[str]) -> str:
    """What is to be done about routes that the table does not have, or about rows that no route has."""
    found, known = set(found), {row.route for row in rows()}
    said = [
        f"{route!r} has no row in {TABLE}: add one to PAGES with what anonymous, buyer, reader and operator get by GET "
        "and by POST, and one to ACTIONS with a form that does it, if it changes something"
        for route in sorted(found - known)
    ]
    said += [f"{route!r} has a row in {TABLE} and is no route any more: take it out" for route in sorted(known - found)]
    return "\n".join(said)


def test_every_route_is_in_the_table() -> None:
    assert not (said := missing(routes(get_resolver()))), said


def test_a_new_route_that_is_not_in_the_table_fails_with_what_to_do() -> None:
    said = missing([*routes(get_resolver()), "admin/room/flood/"])

    assert said.startswith("'admin/room/flood/' has no row in config/tests/roles_table.py: add one to PAGES")
    assert "'healthz' has a row" in missing(route for route in routes(get_resolver()) if route != "healthz")


def test_what_only_an_operator_may_do_has_a_form_that_does_it_and_leaves_a_row_in_the_log() -> None:
    done = {action.route for action in ACTIONS if action.expected.split()[-1] == "done"}
    acts = {row.route for row in rows() if row.post[2] == "403" and row.post[3] not in ("403", "405")}

    assert acts <= done, f"add to ACTIONS of {TABLE} a form that is accepted by: {', '.join(sorted(acts - done))}"


@pytest.mark.parametrize("role", ROLES)
def test_each_gets_what_the_table_says(scene: Scene, role: str) -> None:
    who = ROLES.index(role)

    wrong = [
        f"{method.upper()} {row.route}: {got} instead of {expected[who]}"
        for row in rows()
        for method, expected in (("get", row.get), ("post", row.post))
        if (got := scene.ask(role, method, row.route, {})) != expected[who]
    ]

    assert wrong == []


@pytest.mark.parametrize("role", ROLES)
def test_each_may_do_what_the_table_says_and_what_is_done_is_written_down(scene: Scene, role: str) -> None:
    who = ROLES.index(role)

    wrong = [
        f"{action.route} {action.form}: {got} instead of {action.expected.split()[who]}"
        for action in ACTIONS
        if (got := scene.ask(role, "post", action.route, action.form)) != action.expected.split()[who]
    ]

    assert wrong == []


def test_roles_are_given_again_after_each_migrate_and_nothing_is_taken(db: None) -> None:
    group = Group.objects.get(name=READER)
    mine = Permission.objects.get(content_type__app_label="shop", codename="delete_product")
    lost = Permission.objects.get(content_type__app_label="orders", codename="view_order")
    group.permissions.add(mine)
    group.permissions.remove(lost)

    give_roles()
    give_roles()

    assert {mine, lost} <= set(group.permissions.all())
    assert Group.objects.filter(name__in=[READER, OPERATOR]).count() == 2


def test_who_may_only_look_has_no_permission_that_changes_anything(db: None) -> None:
    may = Permission.objects.filter(group__name=READER)

    assert may.exists()
    assert {permission.codename.partition("_")[0] for permission in may} == {"view"}
    assert not may.filter(codename="view_user").exists()
    seen = set(may.values_list("content_type__app_label", flat=True))
    assert {*settings.HOUSE, "admin"} <= seen
