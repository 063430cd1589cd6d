from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.http.response import HttpResponseBase
from django.test import Client
from django.utils import timezone

from shop.models import Product, Sale, User
from shop.services import schedule_sale


@dataclass
class Operator:
    """olga, who may do everything, at the page of one sale."""

    browser: Client
    user: User
    path: str
    valkey: redis.Redis

    def page(self) -> str:
        answer = self.browser.get(self.path)
        assert answer.status_code == 200
        return answer.content.decode()

    def act(self, action: str, **form: Any) -> HttpResponseBase:
        return self.browser.post(f"{self.path}act/", {"action": action, **form})


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def sale(db: None, valkey: redis.Redis) -> Sale:
    """50 kettles, since a minute ago, for an hour."""
    kettle = Product.objects.create(
        title="Ember kettle", slug="ember-kettle", blurb="Boils.", picture="pictures/kettle.svg"
    )
    opens = timezone.now() - timedelta(minutes=1)
    return schedule_sale(
        product=kettle,
        price_cents=4900,
        stock=50,
        per_user_limit=1,
        starts_at=opens,
        ends_at=opens + timedelta(hours=1),
    )


@pytest.fixture
def operator(sale: Sale, valkey: redis.Redis) -> Operator:
    olga = User.objects.create_superuser("olga", password="unused")
    browser = Client(raise_request_exception=False)
    browser.force_login(olga)
    return Operator(browser, olga, f"/admin/room/sales/{sale.pk}/", valkey)
