"""Operators are told once that something began, and once that it is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client

from notifications import sending
from notifications.incidents import LOCK, Fact, observe
from notifications.models import Incident, Notification, PhoneMessage

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LAG = Fact("LagRising", "orders", "orders: the lag keeps rising, 12,000 messages now", for_s=120)
DEAD = Fact("DeadLetters", "payments", "payments: 3 dead letters")
JUDGED = ["LagRising", "DeadLetters"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ida(django_user_model: type, monkeypatch: pytest.MonkeyPatch) -> object:
    """An operator by her role; and four who are none of that."""
    monkeypatch.setattr("notifications.services.send_soon", lambda ids: sending.send(ids))
    operators, _ = Group.objects.get_or_create(name="operator")
    operators.permissions.add(Permission.objects.get(codename="operate", content_type__app_label="queueing"))
    make = django_user_model.objects.create_user  # type: ignore[attr-defined]
    ida = make("ida", phone="+44 20 7946 0001", email="ida@example.test", is_staff=True)
    ida.groups.add(operators)
    make("rosa", phone="+44 20 7946 0002", is_staff=True)  # may look
    make("anna", phone="+44 20 7946 0003").groups.add(operators)  # left the staff
    make("omar", phone="+44 20 7946 0004", is_staff=True, is_active=False).groups.add(operators)
    make("boris", phone="+44 20 7946 0005")
    return ida


@pytest.fixture
def watch(django_capture_on_commit_callbacks: Callable[..., object]) -> Iterator[Callable[..., None]]:
    def at(seconds: float, *facts: Fact, judged: list[str] = JUDGED) -> None:
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]
            observe(facts, judged=judged, now=NOON + timedelta(seconds=seconds))

    return at


def told() -> list[tuple[str, str]]:
    return list(Notification.objects.filter(channel="sms").order_by("created_at", "id").values_list("kind", "to"))


def test_an_operator_is_told_by_each_channel_and_nobody_else_is(watch: Callable[..., None], ida: object) -> None:
    watch(0, DEAD)

    assert set(Notification.objects.values_list("user_id", "channel", "kind")) == {
        (ida.pk, "sms", "alert"),  # type: ignore[attr-defined]
        (ida.pk, "email", "alert"),  # type: ignore[attr-defined]
    }
    assert set(Notification.objects.values_list("status", flat=True)) == {"sent"}
    sms = PhoneMessage.objects.get(channel="sms")
    assert "payments: 3 dead letters" in sms.text
    assert PhoneMessage.objects.get(channel="email").subject.startswith("Incident #")


def test_it_must_last_and_a_break_begins_anew(watch: Callable[..., None]) -> None:
    watch(0, LAG)
    watch(60, LAG)
    watch(75)
    watch(90, LAG)
    watch(150, LAG)
    assert told() == []

    watch(210, LAG)

    assert [kind for kind, _ in told()] == ["alert"]


def test_one_incident_is_told_once_however_it_wavers_and_over_once_it_was_quiet_for_a_minute(
    watch: Callable[..., None],
) -> None:
    for second in range(0, 300, 15):
        watch(second, *([DEAD] if second % 45 else []))
    assert [kind for kind, _ in told()] == ["alert"]

    watch(330, DEAD)
    watch(345)
    watch(390)
    assert [kind for kind, _ in told()] == ["alert"], "quiet for 45 s"
    watch(405)

    assert [kind for kind, _ in told()] == ["alert", "resolved"]
    assert Incident.objects.get().resolved_at == NOON + timedelta(seconds=405)
    watch(420, DEAD)
    assert [kind for kind, _ in told()] == ["alert", "resolved", "alert"], "another one"


def test_nobody_watching_is_neither_lasting_nor_quiet(watch: Callable[..., None]) -> None:
    watch(0, LAG)
    watch(15, LAG, DEAD)
    watch(3600, LAG)  # everything was down for an hour
    assert [kind for kind, _ in told()] == ["alert"], "the dead letters; the lag was not seen to last"

    watch(3615, judged=["LagRising"])  # what cannot be judged stays

    assert Incident.objects.get(resolved_at=None).rule == "DeadLetters"
    assert [kind for kind, _ in told()] == ["alert"]


def test_a_second_watcher_leaves_it_to_the_first(watch: Callable[..., None]) -> None:
    parameters = connection.get_connection_params()
    keys = {name: parameters[name] for name in ("host", "port", "user", "dbname") if parameters.get(name)}
    with psycopg.connect(**keys) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s, %s)", LOCK)
        watch(0, DEAD)
        assert not Incident.objects.exists()

    watch(15, DEAD)

    assert Incident.objects.get().opened_at is not None


def test_the_operators_phone_shows_it_without_an_order(watch: Callable[..., None], ida: object) -> None:
    watch(0, Fact("DeadLetters", "orders", "orders: 1 dead letters <script>alert(1)</script>"))
    browser = Client()
    browser.force_login(ida)  # type: ignore[arg-type]

    page = browser.get("/phone/").content.decode()

    assert "1 dead letters &lt;script&gt;" in page
    assert "/orders/None" not in page


def test_nobody_to_tell_is_said_in_the_log(
    watch: Callable[..., None], ida: object, caplog: pytest.LogCaptureFixture
) -> None:
    ida.delete()  # type: ignore[attr-defined]

    watch(0, DEAD)

    assert "nobody who may operate the queue" in caplog.text
    assert Incident.objects.get().opened_at is not None
