from __future__ import annotations

from celery import current_app

from config.celery import app
from notifications.tasks import send


def test_tasks_bind_to_the_app_of_the_house() -> None:
    assert send.app.main == "sluice"
    assert current_app.conf.accept_content == ["json"]
    assert current_app.conf.task_acks_late is True


def test_every_entry_of_the_schedule_names_a_task_that_exists() -> None:
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
    assert all(entry["options"]["expires"] <= 60 for entry in app.conf.beat_schedule.values())
