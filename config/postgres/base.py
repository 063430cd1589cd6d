"""Django's own backend, which looks at a pooled connection before it is handed out, and at all of them if it is dead.

After PostgreSQL restarted, all are dead. The pool's own look finds one at a time, and waits for a second, two, four
before the next: a pool that sixteen requests had filled would turn the next four away, each after five seconds.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql import base
from psycopg import OperationalError
from psycopg_pool import ConnectionPool


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if self.pool is None:
            return connection
        try:
            ConnectionPool.check_connection(connection)
        except OperationalError:
            self.pool.putconn(connection)  # which throws it away, and opens another
            self.pool.check()
            return super().get_new_connection(conn_params)
        return connection
