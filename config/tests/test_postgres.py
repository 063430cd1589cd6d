"""The pool of connections, when all that it has are dead."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.db.utils import ConnectionHandler


@pytest.mark.django_db(transaction=True)
def test_after_a_restart_the_first_request_is_served_however_many_connections_the_pool_had() -> None:
    settings = connection.settings_dict
    name = "before the restart"
    options = {**settings["OPTIONS"], "application_name": name}
    house = ConnectionHandler({"default": {}, "restarted": {**settings, "OPTIONS": options}})
    requests = [house.create_connection("restarted") for _ in range(8)]
    for request in requests:
        request.ensure_connection()
    for request in requests:
        request.close()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE application_name = %s", [name]
        )
        assert cursor.fetchall() == [(True,)] * 8
    began = time.monotonic()

    try:
        with requests[0].cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        assert time.monotonic() - began < 3.0, "the pool's own look would give up after five"
    finally:
        requests[0].close()
        requests[0].close_pool()
