from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from pytest_django import DjangoDbBlocker

from config.audit.evidence import gather
from config.audit.tests import world as worlds
from config.audit.tests.world import World
from config.audit.verdict import Verdict, judge


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture
def _django_db_helper(django_db_setup: None) -> None:
    """Instead of pytest-django's own, which would wrap each test in a transaction: the audit has a session of its own
    and sees what is committed. The world is put back by `world`."""


@pytest.fixture(scope="module")
def _built(django_db_setup: None, django_db_blocker: DjangoDbBlocker, client: redis.Redis) -> Iterator[World]:
    with django_db_blocker.unblock():
        client.flushdb()
        world = worlds.build()
        world.save(client)
        yield world
        world.forget(client)


@pytest.fixture
def world(_built: World, django_db_blocker: DjangoDbBlocker, client: redis.Redis) -> Iterator[World]:
    """The same world for every test, whatever the test before did to it."""
    with django_db_blocker.unblock():
        yield _built
        _built.restore(client)


@pytest.fixture
def audit(world: World, tmp_path: Path) -> Callable[..., Verdict]:
    """The audit of this world; `history` replaces what its buyers wrote."""

    def run(*, history: list[dict[str, Any]] | None = None, wait_s: float = 0.0, **options: Any) -> Verdict:
        path = world.write_history(tmp_path / "history.jsonl", history)
        with gather(history_path=path, wait_s=wait_s, **options) as evidence:
            return judge(evidence, has_history=True)

    return run
