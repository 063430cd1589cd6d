"""The demo phone's pages. The frame around them is the house's; what is asserted is what notifications put in."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.template import Context, Template
from django.test import Client
from django.urls import reverse

from notifications import sending
from notifications.handlers import SUBSCRIPTION
from notifications.models import Notification
from orders.events import OrderConfirmed, OrderPaid
from queueing.event import Event
from queueing.message import new_id

PHONE = "/phone/"
MESSAGES = "/phone/messages"


def arrive(*events: Event) -> None:
    """Told, written and sent: on the phone."""
    with transaction.atomic():
        for event in events:
            SUBSCRIPTION.handlers[type(event)]([event])
    sending.send([str(pk) for pk in Notification.objects.values_list("id", flat=True)])


def paid(order_id: str, user: Any) -> OrderPaid:
    return OrderPaid(order_id=order_id, sale_id=7, user_id=user.pk, quantity=1, total_cents=4900)


def logged_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def widget(user: Any, order_id: str) -> str:
    template = Template("{% load notifications_widgets %}{% phone user order_id %}")
    return template.render(Context({"user": user, "order_id": order_id}))


def test_the_page_shows_the_sms_and_the_other_tab_the_emails(ada: Any, order_id: str) -> None:
    arrive(paid(order_id, ada))
    client = logged_in(ada)

    sms = client.get(PHONE).content.decode()
    email = client.get(PHONE, {"tab": "email"}).content.decode()

    assert "Thank you, Ada! €49.00" in sms
    assert "Hello Ada," not in sms
    assert "Hello Ada,<br><br>Thank you: €49.00" in email
    assert "Payment received for order" in email
    assert "<html" in sms
    assert reverse("notifications:phone") == PHONE


def test_the_newest_message_comes_first(ada: Any, order_id: str) -> None:
    arrive(OrderConfirmed(order_id=order_id, sale_id=7, user_id=ada.pk, quantity=1, total_cents=4900))
    arrive(paid(order_id, ada))

    page = logged_in(ada).get(MESSAGES).content.decode()

    assert 0 < page.index("Thank you, Ada!") < page.index("Please pay")


def test_a_touched_tab_brings_the_phone_without_the_page_around_it(ada: Any) -> None:
    part = logged_in(ada).get(PHONE, {"tab": "email"}, headers={"HX-Request": "true"}).content.decode()

    assert "<html" not in part
    assert 'class="phone"' in part
    assert "Nothing yet." in part


def test_polling_answers_204_until_something_new_arrives(ada: Any, order_id: str) -> None:
    client = logged_in(ada)
    assert client.get(MESSAGES, {"seen": "0"}).status_code == 204

    arrive(paid(order_id, ada))

    news = client.get(MESSAGES, {"seen": "0"})
    assert news.status_code == 200
    seen = news.context["newest"]
    assert f"seen={seen}" in news.content.decode()
    assert client.get(MESSAGES, {"seen": str(seen)}).status_code == 204


def test_the_widget_shows_this_order_alone_and_asks_for_this_order_alone(ada: Any, order_id: str) -> None:
    other_order = new_id()
    arrive(paid(order_id, ada), paid(other_order, ada))

    shown = widget(ada, order_id)

    assert f"#{order_id[-6:].upper()}" in shown
    assert f"#{other_order[-6:].upper()}" not in shown
    assert f"order={order_id}" in shown
    polled = logged_in(ada).get(MESSAGES, {"order": order_id}).content.decode()
    assert f"#{order_id[-6:].upper()}" in polled
    assert f"#{other_order[-6:].upper()}" not in polled


def test_nobody_sees_the_messages_of_another_even_with_the_same_phone_number(
    ada: Any, grace: Any, order_id: str
) -> None:
    arrive(paid(order_id, ada))
    grace.phone, grace.email = ada.phone, ada.email
    grace.save()
    client = logged_in(grace)

    for page in (
        client.get(PHONE),
        client.get(PHONE, {"order": order_id}),
        client.get(MESSAGES),
        client.get(MESSAGES, {"order": order_id}),
        client.get(MESSAGES, {"order": order_id, "tab": "email"}),
    ):
        assert page.status_code == 200
        assert "Ada" not in page.content.decode()
    assert "Ada" not in widget(grace, order_id)


@pytest.mark.django_db
def test_a_visitor_is_sent_to_the_login_and_the_fragment_is_refused(order_id: str) -> None:
    visitor = Client()

    page = visitor.get(PHONE)
    fragment = visitor.get(MESSAGES, {"order": order_id})

    assert (page.status_code, page.headers["Location"]) == (302, "/login?next=/phone/")
    assert (fragment.status_code, fragment.content) == (401, b"")
    assert widget(None, order_id).strip() == ""


@pytest.mark.parametrize("tab", ["sms", "email"])
def test_a_name_with_markup_is_shown_as_text(ada: Any, order_id: str, tab: str) -> None:
    ada.first_name = "<script>x()</script>"
    ada.save()
    arrive(paid(order_id, ada))

    page = logged_in(ada).get(MESSAGES, {"tab": tab}).content.decode()

    assert "&lt;script&gt;x()" in page
    assert "<script>x()" not in page


@pytest.mark.parametrize(
    ("query", "status"),
    [({"order": "1 OR 1=1"}, 404), ({"tab": "fax"}, 200), ({"seen": "x"}, 200), ({"order": ""}, 200)],
)
def test_odd_queries_get_a_calm_answer(ada: Any, query: dict[str, str], status: int) -> None:
    assert logged_in(ada).get(MESSAGES, query).status_code == status


def test_the_phone_only_reads(ada: Any) -> None:
    client = logged_in(ada)

    assert client.post(PHONE).status_code == 405
    assert client.post(MESSAGES).status_code == 405


@pytest.mark.parametrize("model", ["notification", "phonemessage"])
def test_the_admin_shows_and_changes_nothing(admin_client: Client, ada: Any, order_id: str, model: str) -> None:
    arrive(paid(order_id, ada))
    listing = reverse(f"admin:notifications_{model}_changelist")
    row = Notification.objects.first() if model == "notification" else None

    assert ada.phone in admin_client.get(listing).content.decode()
    assert admin_client.get(reverse(f"admin:notifications_{model}_add")).status_code == 403
    if row is not None:
        change = reverse("admin:notifications_notification_change", args=[row.pk])
        assert admin_client.get(change).status_code == 200
        assert admin_client.post(change, {"text": "x"}).status_code == 403
        assert (
            admin_client.post(
                reverse("admin:notifications_notification_delete", args=[row.pk]), {"post": "yes"}
            ).status_code
            == 403
        )
    assert logged_in(ada).get(listing).status_code == 302
