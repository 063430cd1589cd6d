from __future__ import annotations

import pytest
import redis
from django.test import Client

from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.conf import make_broker
from queueing.tests.console import GROUP, placed, read
from shop.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def broker(settings):
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield make_broker()
        client.flushdb()


def test_what_is_queued_and_what_was_made_of_it(broker: RedisStreamsBroker, client: Client) -> None:
    broker.produce([placed(str(number % 2)) for number in range(7)])
    broker.ack(GROUP, "ada", read(broker, 7)[:5])
    client.force_login(User.objects.create_user("grace", password="hopper", is_staff=True))

    page = client.get("/admin/room/funnel/").context

    assert (page["queued"], page["created"]) == (7, 5)
