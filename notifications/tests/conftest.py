from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.contrib.auth import get_user_model

from notifications.provider import provider
from queueing.message import new_id


@pytest.fixture
def ada(db: None) -> Any:
    return get_user_model().objects.create_user(
        "ada", first_name="Ada", email="ada@example.test", phone="+44 20 7946 0001"
    )


@pytest.fixture
def grace(db: None) -> Any:
    return get_user_model().objects.create_user(
        "grace", first_name="Grace", email="grace@example.test", phone="+44 20 7946 0002"
    )


@pytest.fixture
def order_id() -> str:
    return new_id()


@pytest.fixture(autouse=True)
def empty_task_queue() -> Iterator[redis.Redis]:
    """The Redis of this test run, without tasks of the test before."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete("celery:celery")
        yield client


@pytest.fixture(autouse=True)
def _provider_of_the_settings() -> Iterator[None]:
    provider.cache_clear()
    yield
    provider.cache_clear()
