"""A phone that refuses a share of SMS: exactly that share, sent again later, none lost and none twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings as house

from notifications import sending
from notifications.models import Channel, Notification, PhoneMessage
from notifications.tests.tools import let_time_pass, statuses, write
from queueing.faults import outside, store
from queueing.faults.fault import Fault, Kind

pytestmark = pytest.mark.django_db


@pytest.fixture
def client_of_redis(settings) -> Iterator[redis.Redis]:
    settings.FAULT_ROOM = True
    outside._weather.cache_clear()
    with redis.Redis.from_url(house.REDIS_URL) as found:
        found.flushdb()
        yield found
        found.flushdb()
    outside._weather.cache_clear()


@pytest.fixture
def fault(client_of_redis: redis.Redis) -> Fault:
    fault = Fault(kind=Kind.SMS, value=0.2)
    assert store.begin(client_of_redis, fault, seconds=60)
    return fault


def test_every_fifth_is_refused_whoever_sends_it_and_all_arrive_once_it_is_over(
    fault: Fault, client_of_redis: redis.Redis
) -> None:
    ids = write(53)
    for start in range(0, 53, 8):
        sending.send(ids[start : start + 8])

    assert statuses() == {"sent": 43, "pending": 10}
    assert store.running(client_of_redis, [])[0].did == {"asked": 53, "refused": 10}
    assert PhoneMessage.objects.count() == 43
    reasons = set(Notification.objects.filter(status="pending").values_list("reason", flat=True))
    assert reasons == {"the demo phone refuses some SMS: the fault room"}

    store.end(client_of_redis, fault)
    outside._weather.cache_clear()
    let_time_pass(60)
    sending.sweep()

    assert statuses() == {"sent": 53}
    assert PhoneMessage.objects.count() == 53


def test_mail_is_not_refused(fault: Fault) -> None:
    ids = write(10)
    Notification.objects.update(channel=Channel.EMAIL)

    sending.send(ids)

    assert statuses() == {"sent": 10}


def test_where_there_is_no_fault_room_nothing_is_refused(fault: Fault, settings) -> None:
    settings.FAULT_ROOM = False

    sending.send(write(10))

    assert statuses() == {"sent": 10}
