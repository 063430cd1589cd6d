from __future__ import annotations

import pytest
from django.test import Client

from shop.models import User
from tests.threads import at_once

LIN = {"username": "lin", "phone": "+86 10 5550 1969", "email": "lin@example.test", "password": "green tea at 4"}


def test_registering_logs_in_and_leads_back(client, db):
    answer = client.post("/register", LIN | {"next": "/sales/7"})

    assert (answer.status_code, answer.url) == (302, "/sales/7")
    lin = User.objects.get(username="lin")
    assert (lin.phone, lin.email, lin.is_staff) == ("+86 10 5550 1969", "lin@example.test", False)
    assert lin.check_password("green tea at 4")
    assert client.session["_auth_user_id"] == str(lin.pk)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"username": "ADA"}, "This name is taken"),
        ({"username": "lin lin"}, "Enter a valid username"),
        ({"username": ""}, "This field is required"),
        ({"phone": "call me"}, "Enter a phone number"),
        ({"phone": ""}, "This field is required"),
        ({"email": "lin@"}, "Enter a valid email address"),
        ({"password": "tea"}, "This password is too short"),
        ({"password": "password1234"}, "This password is too common"),
        ({"username": "l" * 151}, "at most 150 characters"),
        ({"phone": "1" * 21}, "at most 20 characters"),
        ({"username": "lin\x00"}, "Null characters are not allowed"),
    ],
)
def test_a_bad_registration_says_what_to_mend(client, ada, change, complaint):
    answer = client.post("/register", LIN | change)

    assert answer.status_code == 200
    assert complaint in answer.content.decode()
    assert User.objects.count() == 1


def test_nobody_registers_as_staff(client, db):
    client.post("/register", LIN | {"is_staff": "on", "is_superuser": "on"})

    lin = User.objects.get(username="lin")
    assert not lin.is_staff
    assert not lin.is_superuser


@pytest.mark.parametrize("page", ["/login", "/register"])
@pytest.mark.parametrize(
    "away",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "http:///evil.test", "\\\\evil.test"],
)
def test_next_never_leads_to_another_house(client, ada, page, away):
    form = {"username": "ada", "password": "correct horse 7"} if page == "/login" else LIN

    answer = client.post(page, form | {"next": away})

    assert (answer.status_code, answer.url) == (302, "/")


@pytest.mark.parametrize("page", ["/login", "/register"])
def test_next_is_carried_through_the_form_and_to_the_other_one(client, db, page):
    html = client.get(f"{page}?next=/sales/7").content.decode()

    assert 'name="next" value="/sales/7"' in html
    assert "?next=/sales/7" in html


def test_logging_in_goes_where_it_was_asked(client, ada):
    answer = client.post("/login", {"username": "ada", "password": "correct horse 7", "next": "/sales/7"})

    assert (answer.status_code, answer.url) == (302, "/sales/7")


def test_a_wrong_password_is_said_without_saying_which_half_was_wrong(client, ada):
    texts = set()
    for username in ("ada", "nobody"):
        answer = client.post("/login", {"username": username, "password": "wrong"})
        texts.add(answer.content.decode().split('role="alert">')[1].split("<")[0])

    assert len(texts) == 1


def test_logging_out_takes_a_post(client, ada):
    client.force_login(ada)

    assert client.get("/logout").status_code == 405
    assert "_auth_user_id" in client.session

    assert client.post("/logout").url == "/"
    assert "_auth_user_id" not in client.session


def test_who_is_logged_in_already_is_sent_on(client, ada):
    client.force_login(ada)

    assert client.get("/register?next=/sales/7").url == "/sales/7"
    assert client.get("/login?next=/sales/7").url == "/sales/7"


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_one_name_at_once_one_gets_it():
    """The form looks before it writes; what counts is the row."""
    people = [{**LIN, "username": name} for name in ("lin", "LIN", "Lin")]

    answers = at_once([lambda form=form: Client().post("/register", form).status_code for form in people])

    assert User.objects.filter(username__iexact="lin").count() == 1
    assert sorted(answers) == [200, 200, 302]
