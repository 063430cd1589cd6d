"""The demo bank tells the shop by real HTTP, until the shop has taken it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
import redis
from django.conf import settings as house
from django.db import connection
from django.test import Client
from kombu import Connection

from payments.demo_bank import delivery
from payments.demo_bank.delivery import deliver_due_webhooks
from payments.demo_bank.models import DemoCharge, DemoWebhook
from payments.demo_bank.services import decline_charge, pay_charge
from payments.models import Charge, Payment, WebhookEvent
from payments.tasks import deliver_bank_webhooks
from payments.tests.support import a_charge, a_payment, money_is_right, told
from tests.threads import at_once


@pytest.fixture
def charge(db) -> Charge:
    return a_charge(a_payment())


@pytest.fixture
def shop(live_server, settings):
    settings.SELF_URL = live_server.url
    return live_server


class Unwell(BaseHTTPRequestHandler):
    heard: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.heard.append(self.headers["Webhook-Id"])
        self.send_response(503)
        self.end_headers()
        self.wfile.write(b"one moment, please")

    def log_message(self, *args: object) -> None:
        """Not on the test's output."""


@pytest.fixture
def unwell_shop(settings) -> Iterator[list[str]]:
    """A shop that answers 503; yields the event ids it heard."""
    server = HTTPServer(("127.0.0.1", 0), Unwell)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    Unwell.heard.clear()
    settings.SELF_URL = f"http://127.0.0.1:{server.server_port}"
    yield Unwell.heard
    server.shutdown()
    thread.join()
    server.server_close()


def make_everything_due() -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_demowebhook SET next_try_at = statement_timestamp()")


def seconds_to_next_try() -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM next_try_at - clock_timestamp()) FROM payments_demowebhook")
        return float(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_paying_at_the_bank_pays_the_order_by_http(shop):
    charge = a_charge(a_payment())
    pay_charge(charge_id=charge.id)

    assert deliver_due_webhooks() == 1
    assert deliver_due_webhooks() == 0

    assert Payment.objects.get().status == "paid"
    assert WebhookEvent.objects.get().outcome == "captured"
    assert DemoWebhook.objects.get().delivered_at is not None
    assert money_is_right()


@pytest.mark.django_db(transaction=True)
def test_declines_and_a_payment_all_arrive(shop):
    charge = a_charge(a_payment())
    for _ in range(2):
        decline_charge(charge_id=charge.id)
        assert deliver_due_webhooks() == 1
    pay_charge(charge_id=charge.id)

    deliver_bank_webhooks()

    assert told() == {"PaymentRequested": 1, "PaymentFailed": 2, "PaymentSucceeded": 1}


@pytest.mark.django_db(transaction=True)
def test_a_shop_that_answers_503_is_told_again_later(unwell_shop, live_server, settings):
    charge = a_charge(a_payment())
    pay_charge(charge_id=charge.id)

    assert deliver_due_webhooks() == 0

    webhook = DemoWebhook.objects.get()
    assert unwell_shop == [webhook.event_id]
    assert (webhook.delivered_at, webhook.attempts) == (None, 1)
    assert webhook.last_error == "503: one moment, please"
    assert 3 < seconds_to_next_try() <= 5
    assert deliver_due_webhooks() == 0
    assert unwell_shop == [webhook.event_id], "not before it is due"

    settings.SELF_URL = live_server.url
    make_everything_due()
    assert deliver_due_webhooks() == 1
    assert Payment.objects.get().status == "paid"


@pytest.mark.django_db
def test_it_waits_longer_each_time_up_to_a_minute(charge, settings):
    settings.SELF_URL = "http://127.0.0.1:1"  # nobody listens there
    pay_charge(charge_id=charge.id)
    waits = []
    for _ in range(7):
        make_everything_due()
        assert deliver_due_webhooks() == 0
        waits.append(round(seconds_to_next_try()))
    assert waits == [5, 10, 20, 40, 60, 60, 60]
    assert "ConnectionRefused" in DemoWebhook.objects.get().last_error


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_after_taking_the_job_loses_nothing(shop):
    charge = a_charge(a_payment())
    pay_charge(charge_id=charge.id)
    assert len(delivery._claim(50)) == 1  # and here its process ends

    assert deliver_due_webhooks() == 0
    make_everything_due()
    assert deliver_due_webhooks() == 1
    assert Payment.objects.get().status == "paid"


@pytest.mark.django_db(transaction=True)
def test_a_sender_killed_before_noting_the_answer_tells_again_without_effect(shop):
    charge = a_charge(a_payment())
    pay_charge(charge_id=charge.id)
    deliver_due_webhooks()
    DemoWebhook.objects.update(delivered_at=None)
    make_everything_due()

    assert deliver_due_webhooks() == 1

    assert WebhookEvent.objects.count() == 1
    assert told() == {"PaymentRequested": 1, "PaymentSucceeded": 1}


@pytest.mark.django_db(transaction=True)
def test_many_senders_share_the_work(shop):
    charges = [a_charge(a_payment()) for _ in range(30)]
    for charge in charges:
        pay_charge(charge_id=charge.id)

    assert sum(at_once([lambda: deliver_due_webhooks(limit=3)] * 3)) == 30

    assert Payment.objects.filter(status="paid").count() == 30
    assert WebhookEvent.objects.count() == 30


@pytest.mark.django_db
def test_a_double_click_takes_the_money_once(charge):
    assert pay_charge(charge_id=charge.id)
    assert not pay_charge(charge_id=charge.id)
    assert not decline_charge(charge_id=charge.id)
    assert DemoWebhook.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_at_once_take_the_money_once():
    charge = a_charge(a_payment())
    assert sum(at_once([lambda: pay_charge(charge_id=charge.id)] * 20)) == 1
    assert DemoWebhook.objects.count() == 1


def waiting_tasks() -> int:
    with redis.Redis.from_url(house.REDIS_URL) as client:
        return int(client.llen("celery:celery"))


@pytest.mark.django_db
def test_the_button_wakes_a_celery_worker(charge, django_capture_on_commit_callbacks):
    before = waiting_tasks()
    with django_capture_on_commit_callbacks(execute=True):
        pay_charge(charge_id=charge.id)
    assert waiting_tasks() == before + 1


@pytest.mark.django_db
def test_without_celery_the_sweep_will_deliver(charge, django_capture_on_commit_callbacks, monkeypatch, caplog):
    gone = Connection("redis://127.0.0.1:1/0", transport_options=house.CELERY_BROKER_TRANSPORT_OPTIONS)
    monkeypatch.setattr(
        deliver_bank_webhooks, "apply_async", partial(deliver_bank_webhooks.apply_async, connection=gone)
    )
    started = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        pay_charge(charge_id=charge.id)
    assert time.monotonic() - started < 2, "the buyer waits for the page meanwhile"
    assert "waits for the next sweep" in caplog.text
    assert DemoWebhook.objects.get().delivered_at is None


@pytest.mark.django_db
class TestPage:
    def test_says_what_it_is_and_offers_two_buttons(self, charge):
        page = Client().get(f"/demo-bank/{charge.id}").content.decode()
        assert "This is not a real bank" in page
        assert "€49.00" in page
        assert page.count('name="decision"') == 2
        assert "onclick" not in page

    @pytest.mark.parametrize(("decision", "status", "hint"), [("pay", "paid", "?bank=paid"), ("decline", "open", "")])
    def test_a_button_sends_the_buyer_back_to_the_order(self, charge, decision, status, hint):
        response = Client().post(f"/demo-bank/{charge.id}", {"decision": decision})
        back = f"http://testserver/orders/{charge.payment_id}{hint}"
        assert (response.status_code, response.url) == (302, back)
        assert DemoCharge.objects.get().status == status
        assert json.loads(DemoWebhook.objects.get().body)["amount_cents"] == 4_900

    @pytest.mark.parametrize("data", [{}, {"decision": "free"}])
    def test_any_other_decision_is_a_clear_error(self, charge, data):
        response = Client().post(f"/demo-bank/{charge.id}", data)
        assert response.status_code == 400
        assert "pay or decline" in response.content.decode()
        assert not DemoWebhook.objects.exists()

    def test_a_form_from_elsewhere_is_refused(self, charge):
        response = Client(enforce_csrf_checks=True).post(f"/demo-bank/{charge.id}", {"decision": "pay"})
        assert response.status_code == 403
        assert DemoCharge.objects.get().status == "open"

    def test_paid_is_said_and_has_no_buttons(self, charge):
        pay_charge(charge_id=charge.id)
        page = Client().get(f"/demo-bank/{charge.id}").content.decode()
        assert "You have paid this" in page
        assert 'name="decision"' not in page

    def test_an_unknown_charge_is_not_there(self, charge):
        assert Client().get("/demo-bank/0198c000-0000-4000-8000-000000000000").status_code == 404
        assert Client().get("/demo-bank/1").status_code == 404
