"""docs/queueing.md's first section, done literally: the app it describes is made, and its own test is run."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.test import override_settings

from queueing import conf, event

PAGE = Path(__file__).resolve().parents[2] / "docs" / "queueing.md"
pytestmark = pytest.mark.django_db(transaction=True)


def blocks() -> list[str]:
    section = PAGE.read_text().split("\n## ")[1]
    assert section.startswith("Add an event, a topic and a consumer")
    return re.findall(r"```python\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: redis.Redis) -> Iterator[None]:
    """Written as the page says, named where the page says."""
    topics = {}
    for block in blocks():
        if named := re.match(r"# (lamps/\w+\.py)\n", block):
            file = tmp_path / named[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block)
        else:
            topics |= ast.literal_eval("{" + block + "}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(event, "_registry", dict(event._registry))
    queueing = {
        **settings.QUEUEING,
        "APPS": [*settings.QUEUEING["APPS"], "lamps"],
        "TOPICS": {**settings.QUEUEING["TOPICS"], **topics},
    }
    with override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, "lamps"], QUEUEING=queueing):
        conf.subscriptions.cache_clear()
        models = list(apps.get_app_config("lamps").get_models())
        with connection.schema_editor() as editor:
            for model in models:
                editor.create_model(model)
        yield
        with connection.schema_editor() as editor:
            for model in models:
                editor.delete_model(model)
    conf.subscriptions.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "lamps"]:
        del sys.modules[name]
    apps.all_models.pop("lamps")
    apps.clear_cache()


@pytest.mark.usefixtures("the_app")
def test_what_the_page_says_works_when_it_is_done_literally() -> None:
    importlib.import_module("lamps.test_lamps").test_the_light_is_counted()

    with connection.cursor() as cursor:
        cursor.execute("SELECT lamp, lumens FROM lamps_reading")
        assert cursor.fetchall() == [("hall", 800)]
    assert "electricity" in conf.subscriptions()
