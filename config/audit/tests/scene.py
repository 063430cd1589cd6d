"""The hands of a saboteur: a world, a session on its rows, its Redis and its buyers' history."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import redis
from psycopg import sql

from config.audit.tests.world import World
from inventory import keys as gate_keys
from queueing import keys
from queueing.broker import Failure
from queueing.conf import make_broker
from queueing.message import Message, new_id


@dataclass
class Scene:
    world: World
    pg: psycopg.Connection
    redis: redis.Redis
    history: list[dict[str, Any]]
    dropped: list[tuple[str, str, str]] = field(default_factory=list)

    def sql(self, statement: str, *parameters: Any) -> None:
        """It must hit something: a sabotage that changes nothing proves nothing."""
        assert self.pg.execute(statement, parameters or None).rowcount > 0, statement

    def order(self, name: str) -> str:
        return self.world.orders[name]

    @property
    def gate(self) -> str:
        return gate_keys.gate(self.world.kettles.pk)

    @property
    def log(self) -> str:
        return gate_keys.log(self.world.kettles.pk)

    def told(self, name: str) -> dict[str, Any]:
        """The first line about this buyer."""
        return next(line for line in self.history if line["user"] == name)

    def drop_constraint(self, table: str, name: str) -> None:
        """Put back by the test when the rows are."""
        row = self.pg.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name]
        ).fetchone()
        assert row is not None, name
        self.pg.execute(
            sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.Identifier(table), sql.Identifier(name))
        )
        self.dropped.append((table, name, row[0]))

    def restore_constraints(self) -> None:
        for table, name, definition in self.dropped:
            if self.pg.execute("SELECT 1 FROM pg_constraint WHERE conname = %s", [name]).fetchone():
                continue  # the sabotage failed and was rolled back
            self.pg.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                    sql.Identifier(table), sql.Identifier(name), sql.SQL(definition)
                )
            )
        self.pg.commit()

    def read_and_forget(self, group: str) -> list[str]:
        """A consumer that takes what is new in the kettles' log and never settles it."""
        replies = self.redis.execute_command(
            "XREADGROUP", "GROUP", group, "nobody", "COUNT", 100, "STREAMS", self.log, ">"
        )
        assert replies, "nothing was undelivered"
        entries = replies[self.log.encode()][0] if isinstance(replies, dict) else replies[0][1]
        return [offset.decode() for offset, _ in entries]

    def remind(self) -> tuple[str, str]:
        """A delayed message of the kettles, due in an hour. Returns its topic and partition."""
        where = ("orders.placed", str(self.world.kettles.pk))
        due_ms = time.time_ns() // 1_000_000 + 3_600_000
        reminder = Message(new_id(), *where, "tests.Reminder", 1, b"{}", due_ms, deliver_at_ms=due_ms)
        broker = make_broker()
        broker.produce([reminder])
        broker.redis.close()
        return where

    def park(self) -> tuple[tuple[str, str, str], str]:
        """Group orders in ordered mode: one more order of the kettles failed, and the next one waits behind it.

        Returns topic, partition and group, and the id of the message that waits.
        """
        parked = park_a_follower(self.world)
        self.history[:] = self.world.history
        return parked

    def purge(self) -> tuple[tuple[str, str, str], str]:
        """Group orders failed with one more order of the kettles, and an operator purged it.

        Returns topic, partition and group, and the id of the message that is gone.
        """
        self.world.ask("jon")
        self.history[:] = self.world.history
        topic, partition = "orders.placed", str(self.world.kettles.pk)
        broker = make_broker()
        [delivery] = broker.read("orders", "nobody", [topic], 10, 0)
        assert broker.bury("orders", "nobody", delivery, Failure("burnt"))
        assert broker.purge(broker.dead_letters("orders", topic, partition)) == 1
        broker.redis.close()
        return (topic, partition, "orders"), delivery.message.id

    def rewrite(self, log: str, change: Callable[[list[dict[bytes, bytes]]], None]) -> None:
        """Change the entries of a log as if they had been appended so, its groups having read everything."""
        entries = self.redis.xrange(log)
        if not entries:
            return
        groups = [info["name"] for info in self.redis.xinfo_groups(log)]
        fields = [dict(entry) for _, entry in entries]
        change(fields)
        self.redis.delete(log)
        for (offset, _), entry in zip(entries, fields, strict=True):
            self.redis.xadd(log, entry, id=offset)
        for group in groups:
            self.redis.xgroup_create(log, group, id=entries[-1][0])

    def logs(self, topic: str) -> list[str]:
        return [key.decode() for key in sorted(self.redis.scan_iter(match=keys.log(topic, "*")))]


def park_a_follower(world: World) -> tuple[tuple[str, str, str], str]:
    world.ask("jon")
    world.ask("bob", key="bob-wants-another")
    where = ("orders.placed", str(world.kettles.pk))
    broker = make_broker()
    seen = next(seen for seen in broker.leases("orders", [where[0]]) if seen.partition == where[1])
    lease = broker.take_lease("orders", "nobody", seen, 1)
    assert lease is not None
    head, follower = broker.read_in_order("orders", "nobody", [lease], 10, 0).deliveries
    assert broker.bury_in_order("orders", "nobody", head, Failure("burnt"), keep_blocked=True)
    assert broker.park("orders", "nobody", [follower]) == 1
    broker.redis.close()
    return (*where, "orders"), follower.message.id
