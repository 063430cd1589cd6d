"""The web's pooled connections after PostgreSQL restarted."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_died_in_the_pool_is_not_handed_to_a_shopper() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    connection.close()  # back into the pool, as after a request
    parameters = connection.get_connection_params()
    chosen = {name: parameters[name] for name in ("dbname", "user", "host")}
    with psycopg.connect(**chosen, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != (pid,)
