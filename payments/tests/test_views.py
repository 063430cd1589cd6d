"""Paying and cancelling is for the buyer alone, and every state has kind words."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.template import engines
from django.test import Client, RequestFactory

from payments.demo_bank.models import DemoCharge
from payments.demo_bank.provider import DemoBank
from payments.errors import ProviderUnavailable
from payments.handlers import send_money_back
from payments.models import Charge, Payment
from payments.services import cancel_payment, expire_unpaid_payments
from payments.tests.support import a_charge, a_payment, make_due, notice, post, told
from payments.tests.test_refunds import requested
from tests.threads import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada():
    return get_user_model().objects.create(username="ada")


@pytest.fixture
def her(ada) -> Client:
    client = Client()
    client.force_login(ada)
    return client


@pytest.fixture
def payment(ada) -> Payment:
    return a_payment(user_id=ada.pk)


def pages(payment: Payment) -> list[tuple[str, str]]:
    url = f"/pay/{payment.order_id}"
    return [("get", url), ("post", url), ("post", f"{url}/cancel")]


class TestWhoMay:
    @pytest.mark.parametrize("page", [0, 1, 2])
    def test_nobody_else(self, payment, page):
        bob = Client()
        bob.force_login(get_user_model().objects.create(username="bob"))
        method, url = pages(payment)[page]
        assert getattr(bob, method)(url).status_code == 404
        assert told() == {"PaymentRequested": 1}
        assert not DemoCharge.objects.exists()

    @pytest.mark.parametrize("page", [0, 1, 2])
    def test_a_stranger_is_asked_to_log_in(self, payment, page):
        method, url = pages(payment)[page]
        response = getattr(Client(), method)(url)
        assert (response.status_code, response.url) == (302, f"/login?next={url}")
        assert told() == {"PaymentRequested": 1}

    @pytest.mark.parametrize("page", [0, 1, 2])
    def test_an_order_that_does_not_exist_looks_like_anothers(self, her, payment, page):
        method, url = pages(payment)[page]
        url = url.replace(str(payment.order_id), "0198c000-0000-7000-8000-000000000000")
        assert getattr(her, method)(url).status_code == 404

    @pytest.mark.parametrize("page", [1, 2])
    def test_a_form_from_elsewhere_is_refused(self, ada, payment, page):
        client = Client(enforce_csrf_checks=True)
        client.force_login(ada)
        assert client.post(pages(payment)[page][1]).status_code == 403
        assert told() == {"PaymentRequested": 1}

    def test_a_link_can_not_cancel(self, her, payment):
        assert her.get(f"/pay/{payment.order_id}/cancel").status_code == 405


class TestPaying:
    def test_leads_to_the_bank_and_a_second_tab_to_the_same_charge(self, her, payment):
        first, second = (her.post(f"/pay/{payment.order_id}") for _ in range(2))
        charge = Charge.objects.get()
        assert first.status_code == 302
        assert first.url == second.url == f"/demo-bank/{charge.id}"
        assert DemoCharge.objects.get().amount_cents == charge.amount_cents == 4_900

    def test_the_price_is_the_servers(self, her, payment):
        her.post(f"/pay/{payment.order_id}", {"amount_cents": "1", "status": "paid"})
        assert DemoCharge.objects.get().amount_cents == 4_900
        payment.refresh_from_db()
        assert (payment.status, payment.amount_cents) == ("pending", 4_900)

    @pytest.mark.django_db(transaction=True)
    def test_twenty_clicks_make_one_charge(self, ada, payment):
        def click() -> str:
            client = Client()
            client.force_login(ada)
            return str(client.post(f"/pay/{payment.order_id}").url)

        assert len(set(at_once([click] * 20))) == 1
        assert Charge.objects.count() == DemoCharge.objects.count() == 1

    def test_when_the_bank_does_not_answer_the_buyer_is_told(self, her, payment, settings):
        settings.PAYMENT_PROVIDER = f"{__name__}.SilentBank"
        response = her.post(f"/pay/{payment.order_id}")
        assert response.status_code == 503
        assert "Nothing was charged" in response.content.decode()
        assert not Charge.objects.exists()

    @pytest.mark.parametrize("ending", ["paid", "expired", "cancelled", "over its time"])
    def test_what_has_ended_is_said_and_not_charged_again(self, her, payment, ending):
        charge = end(payment, ending)
        response = her.post(f"/pay/{payment.order_id}")
        assert response.status_code == 200
        assert Charge.objects.count() == DemoCharge.objects.count() == (charge is not None)


class SilentBank(DemoBank):
    def create_charge(self, **what):
        raise ProviderUnavailable


def end(payment: Payment, how: str) -> Charge | None:
    charge = None
    match how:
        case "paid":
            charge = a_charge(payment)
            post(notice(charge))
        case "cancelled":
            cancel_payment(order_id=payment.order_id)
        case _:
            make_due(payment.order_id, in_s=-1)
            if how == "expired":
                expire_unpaid_payments()
    return charge


class TestWords:
    @pytest.mark.parametrize(
        ("ending", "title", "sentence"),
        [
            ("", "Your payment", "Please pay <strong>€49.00</strong>"),
            ("paid", "Already paid", "Thank you!"),
            ("expired", "The time to pay is over", "You owe nothing."),
            ("over its time", "The time to pay is over", "You owe nothing."),
            ("cancelled", "Cancelled", "You cancelled this order"),
        ],
    )
    def test_every_state_has_a_kind_page(self, her, payment, ending, title, sentence):
        if ending:
            end(payment, ending)
        response = her.get(f"/pay/{payment.order_id}")
        page = response.content.decode()
        assert response.status_code == 200
        assert title in page
        assert sentence in page
        assert ("Cancel the order" in page) == (not ending)

    def test_a_decline_is_said_and_the_button_stays(self, her, payment):
        post(notice(a_charge(payment), kind="charge.declined"))
        page = her.get(f"/pay/{payment.order_id}").content.decode()
        assert "The bank declined the payment" in page
        assert "Pay €49.00" in page

    def test_a_refund_is_said_on_its_way_and_when_it_is_sent(self, her, payment):
        charge = a_charge(payment)
        DemoCharge.objects.update(status="paid")
        end(payment, "cancelled")
        post(notice(charge))
        assert "on its way back to you" in her.get(f"/pay/{payment.order_id}").content.decode()
        send_money_back(requested())
        assert "went back to you" in her.get(f"/pay/{payment.order_id}").content.decode()


class TestCancelling:
    def test_tells_it_once_and_goes_back_to_the_order(self, her, payment):
        for _ in range(2):
            response = her.post(f"/pay/{payment.order_id}/cancel")
            assert (response.status_code, response.url) == (302, f"/orders/{payment.order_id}")
        assert told() == {"PaymentRequested": 1, "PaymentCancelled": 1}

    def test_after_paying_changes_nothing(self, her, payment):
        end(payment, "paid")
        her.post(f"/pay/{payment.order_id}/cancel")
        payment.refresh_from_db()
        assert payment.status == "paid"
        assert "PaymentCancelled" not in told()


class TestPanel:
    """What the order page of another app loads."""

    def panel(self, order_id, user) -> str:
        template = engines["django"].from_string("{% load payments_widgets %}{% payment_panel order_id user %}")
        return template.render({"order_id": order_id, "user": user}, RequestFactory().get("/")).strip()

    def test_offers_paying_and_cancelling_with_forms_that_pass_csrf(self, ada, payment):
        html = self.panel(str(payment.order_id), ada)
        assert f'action="/pay/{payment.order_id}"' in html
        assert f'action="/pay/{payment.order_id}/cancel"' in html
        assert html.count("csrfmiddlewaretoken") == 2
        assert 'role="timer"' in html

    def test_is_empty_for_others_and_before_there_is_something_to_pay(self, ada, payment):
        from django.contrib.auth.models import AnonymousUser

        bob = get_user_model().objects.create(username="bob")
        assert self.panel(payment.order_id, bob) == ""
        assert self.panel(payment.order_id, AnonymousUser()) == ""
        assert self.panel("0198c000-0000-7000-8000-000000000000", ada) == ""


def test_the_operator_sees_every_table_and_can_change_none(admin_client, payment):
    post(notice(a_charge(payment), amount_cents=1))
    for name in ("payment", "charge", "refund", "webhookevent", "democharge", "demowebhook"):
        assert admin_client.get(f"/admin/payments/{name}/").status_code == 200, name
        assert admin_client.get(f"/admin/payments/{name}/add/").status_code == 403, name
    assert admin_client.post(f"/admin/payments/payment/{payment.pk}/delete/").status_code == 403
