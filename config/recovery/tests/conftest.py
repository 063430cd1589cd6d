from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from config.recovery.tests.shop import Shop
from config.recovery.turn import turn
from queueing.testing import drain
from shop.models import Product, User
from shop.services import schedule_sale


@pytest.fixture
def client(transactional_db: None) -> Iterator[redis.Redis]:
    """An empty Redis number of this test worker's own."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.fixture
def shop(client: redis.Redis) -> Shop:
    """Ten Ember kettles, at most two each, on sale for an hour; Redis is approved."""
    kettle = Product.objects.create(title="Ember kettle", slug="ember-kettle", blurb="Boils.", picture="p/k.svg")
    now = timezone.now()
    sale = schedule_sale(
        product=kettle, price_cents=4900, stock=10, per_user_limit=2,
        starts_at=now - timedelta(minutes=1), ends_at=now + timedelta(hours=1),
    )  # fmt: skip
    buyers = {name: User.objects.create(username=name, email=f"{name}@example.test") for name in Shop.BUYERS}
    drain()
    assert turn().is_well
    return Shop(client, sale, buyers)
