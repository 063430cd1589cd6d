"""Save PostgreSQL's rows and Redis's keys, and put them back: a world is built once and broken many times."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
import redis
from django.apps import apps
from psycopg import sql

from config.audit.evidence import open_session

APPS = ("queueing", "shop", "orders", "inventory", "payments", "logistics", "notifications")


@dataclass
class Saved:
    keys: dict[bytes, bytes]
    tables: list[str]

    @classmethod
    def now(cls, client: redis.Redis) -> Saved:
        models = [model for name in APPS for model in apps.get_app_config(name).get_models()]
        tables = [model._meta.db_table for model in models if model._meta.managed]
        with open_session() as session:
            session.execute("CREATE SCHEMA saved")
            for table in tables:
                session.execute(sql.SQL("CREATE TABLE saved.{0} AS TABLE public.{0}").format(sql.Identifier(table)))
        return cls({key: client.dump(key) for key in client.scan_iter()}, tables)

    def restore(self, client: redis.Redis) -> None:
        with open_session() as session:
            _truncate(session, self.tables, "CONTINUE IDENTITY")
            session.execute("SET session_replication_role = replica")  # rows come back in any order
            for table in self.tables:
                columns = session.execute(
                    "SELECT attname FROM pg_attribute"
                    " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
                    [f"saved.{table}"],
                ).fetchall()
                names = sql.SQL(", ").join(sql.Identifier(column) for (column,) in columns)
                session.execute(
                    sql.SQL("INSERT INTO public.{0} ({1}) SELECT {1} FROM saved.{0}").format(
                        sql.Identifier(table), names
                    )
                )
        client.flushdb()
        with client.pipeline() as pipe:
            for key, value in self.keys.items():
                pipe.restore(key, 0, value)
            pipe.execute()

    def forget(self, client: redis.Redis) -> None:
        with open_session() as session:
            session.execute("DROP SCHEMA saved CASCADE")
            _truncate(session, self.tables, "RESTART IDENTITY")
        client.flushdb()


def _truncate(session: psycopg.Connection, tables: list[str], identity: str) -> None:
    session.execute("SET lock_timeout = '5s'")  # a transaction left open must fail a test, not hang it
    names = sql.SQL(", ").join(sql.Identifier(table) for table in tables)
    session.execute(sql.SQL("TRUNCATE {} {} CASCADE").format(names, sql.SQL(identity)))
