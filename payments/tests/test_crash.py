"""A web process that dies right after the money was written down, before the bank heard so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection

from payments.models import Payment, WebhookEvent
from payments.tests.support import a_charge, a_payment, headers, money_is_right, notice, post, told

PROCESS = """
import json, sys
import django
django.setup()
from django.test import Client
body, headers = json.load(sys.stdin)
Client().post("/payments/webhook", body, content_type="application/json", headers=headers, HTTP_HOST="localhost")
print("answered")
"""


@pytest.mark.django_db(transaction=True)
def test_killed_between_commit_and_answer_the_bank_tells_again_and_nothing_is_doubled(tmp_path: Path):
    charge = a_charge(a_payment())
    body = notice(charge)
    given = headers(body)
    note = tmp_path / "crashed"
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"])
    died = subprocess.run(
        [sys.executable, "-c", PROCESS],
        input=json.dumps([body.decode(), given]),
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": url.geturl(),
            "SLUICE_CRASH_AT": "payments.captured",
            "SLUICE_CRASH_NOTE": str(note),
        },
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert died.returncode == -signal.SIGKILL, died.stderr
    assert note.read_text().startswith("payments.captured "), "the crash point was reached"
    assert "answered" not in died.stdout
    assert Payment.objects.get().status == "paid"

    assert post(body, given).json() == {"outcome": "no_effect"}
    assert WebhookEvent.objects.count() == 1
    assert told() == {"PaymentRequested": 1, "PaymentSucceeded": 1}
    assert money_is_right()
