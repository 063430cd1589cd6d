"""One of everything that a route names, and four people who ask for it: what each is answered, in a word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone

from config.roles import OPERATOR, READER
from orders.models import Order
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.letter_run import LetterRun
from queueing.tests.console import bury, placed, token
from shop import services
from shop.models import Product, Sale, User

LOG_IN = re.compile(r"(/admin)?/login/?\?next=")


@dataclass
class Scene:
    broker: RedisStreamsBroker
    sale: Sale
    order: Order
    run: LetterRun
    buyer: User
    people: dict[str, Client]
    keys: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def names(self) -> dict[str, Any]:
        """What stands for each <name> of a route; a route that has another says so when its row is tried."""
        return {
            "sale_id": self.sale.pk,
            "order_id": self.order.pk,
            "charge_id": UUID(int=7),
            "run_id": self.run.pk,
            "id": self.buyer.pk,
            "app_label": "shop",
            "content_type_id": 1,
            "url": "no/such/page/",
            "name": "no-such-state",
        }

    def path(self, route: str) -> str:
        """admin/shop/sale/<path:object_id>/change/ → /admin/shop/sale/7/change/"""
        objects = {"shop/sale": self.sale.pk, "shop/product": self.sale.product_id, "shop/user": self.buyer.pk}
        model = "/".join(route.split("/")[1:3])
        names = {"object_id": objects.get(model, 1), **self.names}
        route = re.sub(r"\(\?P(<\w+>)[^)]*\)", r"\1", route).rstrip("$")
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(names[found[1]]), route)

    def form(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """{letter} becomes the name of a message that died just now; {product} that of the sale's."""
        [letter] = bury(self.broker, [placed(str(next(self.keys)))]) if "{letter}" in asked.values() else [None]
        stand_ins = {"{letter}": letter and token(letter), "{product}": self.sale.product_id, "{sale}": self.sale.pk}
        return {name: stand_ins.get(value, value) if isinstance(value, str) else value for name, value in asked.items()}

    def ask(self, role: str, method: str, route: str, form: Mapping[str, Any]) -> str:
        """What this person gets: a status, `log-in`, or `done`: sent on, after something was written into the log.
        Whatever it did to the database is undone."""
        browser = Client(raise_request_exception=False)
        browser.cookies = self.people[role].cookies.copy()
        data = self.form(form)
        with transaction.atomic():
            answer = getattr(browser, method)(self.path(route), data)
            written = method == "post" and LogEntry.objects.exists()  # the log was empty
            transaction.set_rollback(True)
        assert not written or role == "operator", f"{role} left a row in the log by {route}"
        return "done" if written else _word(answer)


def make_scene(broker: RedisStreamsBroker) -> Scene:
    kettle = services.save_product(
        product=Product(slug="ember-kettle", title="Ember kettle", blurb="Boils.", picture="pictures/kettle.svg")
    )
    now = timezone.now()
    facts = {"price_cents": 4900, "stock": 50, "per_user_limit": 1}
    sale = services.schedule_sale(product=kettle, starts_at=now, ends_at=now + timedelta(hours=1), **facts)
    people = {"anonymous": Client()}
    buyer = User.objects.create(username="ada")
    people["buyer"] = _log_in(buyer)
    for role, group in (("reader", READER), ("operator", OPERATOR)):
        one = User.objects.create(username=role, is_staff=True)
        one.groups.add(Group.objects.get(name=group))
        people[role] = _log_in(one)
    order = Order.objects.create(
        sale_id=sale.pk, user_id=buyer.pk, idempotency_key="first", quantity=1, price_cents=4900, total_cents=4900,
        status="created", epoch=1, seq=1, placed_at=now,
    )  # fmt: skip
    run = LetterRun.objects.create(id=UUID(int=7), action="replay", state="asking", choice={}, user=buyer, total=1)
    return Scene(broker, sale, order, run, buyer, people)


def _log_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def _word(answer: HttpResponseBase) -> str:
    sent_to_log_in = answer.status_code == 302 and LOG_IN.match(answer.headers["Location"])
    return "log-in" if sent_to_log_in else str(answer.status_code)
