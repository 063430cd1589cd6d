"""The diner of a test: its own table and topics, and consumers forked from one warmed process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.db import connection

from queueing.brokers.redis_streams import RedisStreamsBroker
from tests.drills.diner.crew import Crew, Mother
from tests.drills.diner.events import TOPICS

SERVED = """
    CREATE TABLE served (
      id bigserial, "table" text, number int, pid int, at timestamptz DEFAULT clock_timestamp()
    )"""


@pytest.fixture(scope="session")
def mother(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mother]:
    folder: Path = tmp_path_factory.mktemp("diner")
    mother = Mother(folder)
    yield mother
    mother.close()


@pytest.fixture
def crew(transactional_db: None, mother: Mother) -> Iterator[Crew]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
    with connection.cursor() as cursor:
        cursor.execute(SERVED)
    crew = Crew(mother, RedisStreamsBroker(TOPICS, url=settings.REDIS_URL))
    yield crew
    crew.send_home()
    crew.broker.redis.flushdb()
    crew.broker.redis.close()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE served")
