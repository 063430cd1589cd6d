from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks

from notifications.checks import check_provider


def test_the_settings_of_the_house_are_fine() -> None:
    assert check_provider() == []


@pytest.mark.parametrize(
    ("setting", "error", "says"),
    [
        ({}, "notifications.E001", "is not set"),
        ({"PROVIDER": "notifications.carrier_pigeon.Pigeon"}, "notifications.E002", "carrier_pigeon"),
        ({"PROVIDER": "notifications.demo_phone.DemoPhone", "OPTIONS": {"speed": 1}}, "notifications.E002", "argument"),
        ({"PROVIDER": "notifications.models.PhoneMessage"}, "notifications.E003", "no send_batch()"),
    ],
)
def test_a_wrong_provider_is_found_before_a_message_is_lost(
    settings: Any, setting: dict[str, Any], error: str, says: str
) -> None:
    settings.NOTIFICATIONS = setting

    found = [problem for problem in run_checks() if problem.id == error]

    assert len(found) == 1
    assert says in found[0].msg
