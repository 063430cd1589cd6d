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
from config.audit.tests.saved import Saved
from config.audit.tests.world import World
from config.audit.verdict import Verdict, judge


@pytest.fixture(scope="module")
def client() -> Iterator[redis.Redis]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture(scope="module")
def _built(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, client: redis.Redis
) -> Iterator[tuple[World, Saved]]:
    with django_db_blocker.unblock():
        client.flushdb()
        world = worlds.build()
        saved = Saved.now(client)
        yield world, saved
        saved.forget(client)


@pytest.fixture
def world(_built: tuple[World, Saved], django_db_blocker: DjangoDbBlocker, client: redis.Redis) -> Iterator[World]:
    """The same world for every test, whatever the test before did to it."""
    world, saved = _built
    with django_db_blocker.unblock():
        yield world
        saved.restore(client)


@pytest.fixture
def audit(world: World, tmp_path: Path) -> Callable[..., Verdict]:
    """The audit of this world; `history` replaces what its buyers wrote, None leaves it away."""

    def run(*, history: list[dict[str, Any]] | None = world.history, wait_s: float = 0.0, **options: Any) -> Verdict:
        path = world.write_history(tmp_path / "history.jsonl", history) if history is not None else None
        with gather(history_path=path, wait_s=wait_s, **options) as evidence:
            return judge(evidence, has_history=path is not None)

    return run
