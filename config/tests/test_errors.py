"""Pages for people and one JSON shape for programs, when something is wrong."""

from __future__ import annotations

import io
import logging

import pytest
import redis
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import include, path


def forbid(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def suspect(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation


def stumble(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("secret detail")


def lose_postgres(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    raise AssertionError("a killed session does not go on")


def lose_redis(request: HttpRequest) -> HttpResponse:
    redis.Redis(port=1).ping()  # nobody listens on port 1
    raise AssertionError("nobody answers there")


def wanderings(prefix: str) -> list:
    views = {"forbid": forbid, "suspect": suspect, "stumble": stumble, "postgres": lose_postgres, "redis": lose_redis}
    return [path(f"{prefix}{name}", view) for name, view in views.items()]


urlpatterns = [*wanderings(""), *wanderings("api/"), path("", include("config.urls"))]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"


@pytest.fixture
def visitor(settings) -> Client:
    settings.ROOT_URLCONF = __name__
    return Client(raise_request_exception=False)


CASES = [
    ("forbid", 403, "forbidden", "This page is not for you"),
    ("suspect", 400, "bad_request", "This can&#x27;t be read"),
    ("stumble", 500, "internal", "That was our fault"),
    ("redis", 503, "unavailable", "One moment, please"),
]


# Without the mark `django_db` any query would fail the test: these pages must not need the database.
@pytest.mark.parametrize(("name", "status", "code", "title"), CASES)
def test_a_page_for_people(visitor, name, status, code, title):
    answer = visitor.get(f"/{name}")

    assert answer.status_code == status
    page = answer.content.decode()
    assert title in page
    assert "secret detail" not in page
    assert "Traceback" not in page


@pytest.mark.parametrize(("name", "status", "code", "title"), CASES)
def test_one_shape_for_programs(visitor, name, status, code, title):
    answer = visitor.get(f"/api/{name}")

    assert answer.status_code == status
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"]["code"] == code
    assert "secret detail" not in answer.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_lost_postgres_is_503_and_the_next_request_works(visitor):
    answer = visitor.get("/postgres")
    connection.close()

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert visitor.get("/").status_code == 200


def test_an_unknown_path_of_the_api_is_json(visitor):
    answer = visitor.get("/api/nowhere")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "forged",
    [
        lambda client: client.post("/login", {"username": "ada"}),
        lambda client: client.post("/login", {"username": "a" * 100_000}),
        lambda client: client.post("/login", {f"field-{number}": "" for number in range(2_000)}),
        lambda client: client.get("/login", headers={"Host": "evil.example"}),
    ],
    ids=["no CSRF token", "too large", "too many fields", "another host"],
)
def test_what_was_refused_leaves_no_line_in_the_log(forged, settings):
    """One line per forged request is what fills a disk; DESIGN section 4 has what it costs."""
    settings.ALLOWED_HOSTS = ["testserver"]
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    logging.getLogger().addHandler(handler)
    try:
        answer = forged(Client(enforce_csrf_checks=True))
    finally:
        logging.getLogger().removeHandler(handler)

    assert 400 <= answer.status_code < 500
    assert lines.getvalue() == ""


def test_an_old_form_is_explained(db):
    strict = Client(enforce_csrf_checks=True)

    answer = strict.post("/login", {"username": "ada", "password": "x"})

    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()


def test_a_foreign_host_name_is_refused(client, db):
    answer = client.get("/", headers={"host": "evil.test"})

    assert answer.status_code == 400


def test_a_body_of_a_megabyte_is_refused_before_it_is_parsed(db):
    answer = Client(raise_request_exception=False).post("/register", {"username": "x" * 2**20})

    assert answer.status_code == 413
    assert "That is too much" in answer.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("where", ["/admin/orders/order/?status__exact=%00", "/?x=%00", "/orders/?q=a%00b"])
def test_a_nul_in_a_query_is_refused_and_not_asked_of_the_database(where):
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("operator"))

    assert client.get(where).status_code == 400
