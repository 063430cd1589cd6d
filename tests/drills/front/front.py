"""A house with three doors, each a web process of its own before the same gate.

direct: keeps the two limits itself, as where no nginx is. gateway: behind the real nginx, or like `direct` where none
is installed. ahead: on a machine whose clock is ten minutes off.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import redis

from config.env import Env
from config.stack import leftovers
from config.stack.child import Child
from config.stack.nginx import Nginx, program
from config.stack.processes import web_arguments
from config.stack.valkey import free_port
from inventory import keys
from tests.drills import proof
from tests.drills.front.ask import send
from tests.drills.harness import BASE, House, until

ORDERS_RATE, ORDERS_BURST = 400, 150
USER_BURST = 20
PUZZLE = 200
SHOP = "config.asgi:application"


class Front:
    """`house` has the shoppers, sales and servers; the doors are ports. Started by `start`, ended by `close`."""

    def __init__(self) -> None:
        self.house = House()
        # One address is everybody's here, so the limit per address is off; that per user is as a shop has it.
        self.house.environment |= {
            "ORDERS_RATE": str(ORDERS_RATE), "ORDERS_BURST": str(ORDERS_BURST), "PROOF_OF_WORK": str(PUZZLE),
            "USER_RATE": "10", "USER_BURST": str(USER_BURST), "ADDRESS_RATE": "0", "SIGN_IN_RATE": "0",
            "GATEWAY": "web",
        }  # fmt: skip
        self.redis = redis.Redis(port=self.house.redis_port, decode_responses=True)
        self.operator: subprocess.Popen[str] | None = None
        self.direct, self.ahead, self.gateway = free_port(), free_port(), free_port()
        self.nginx = self._nginx() if program() else None
        behind = {"socket": self.nginx.web_socket} if self.nginx else {"port": self.gateway}
        self.webs = {
            "direct": self._web("direct", port=self.direct),
            "behind": self._web("behind", **behind),
            "ahead": self._web("ahead", "tests.drills.front.ahead:application", port=self.ahead),
        }

    def start(self, *, shoppers: int, stocks: list[int]) -> None:
        self.house.start()
        for each in self.children:
            each.spawn()
        self.operator = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.front.operator"],
            cwd=BASE, env=self.house.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.house.open(shoppers=shoppers, stocks=stocks)
        self._sales = iter(self.house.sales)
        assert self._said() == "ready\n"
        for port in (*self.doors, self.ahead):
            until(lambda port=port: send(port, "GET", "/login").status == 200, "every door open")

    @property
    def doors(self) -> tuple[int, ...]:
        return self.direct, self.gateway

    @property
    def children(self) -> list[Child]:
        return [*self.webs.values(), *([self.nginx] if self.nginx else [])]

    @property
    def names(self) -> list[str]:
        return list(self.house.sessions)

    def next_sale(self) -> int:
        """One that nobody has used."""
        return next(self._sales)

    def does(self, deed: str, **details: Any) -> None:
        """The operator has done it; the gate hears of it a moment later."""
        assert self.operator is not None
        assert self.operator.stdin is not None
        self.operator.stdin.write(json.dumps({"do": deed, **details}) + "\n")
        self.operator.stdin.flush()
        self._said()

    def gate(self, sale: int, field: str) -> str:
        found = self.redis.hget(keys.gate(sale), field)
        assert isinstance(found, str)
        return found

    def stock(self, sale: int) -> int:
        return int(self.gate(sale, "stock"))

    def now_ms(self) -> int:
        """By the clock that decides, which is Redis's."""
        seconds, microseconds = self.redis.time()
        return int(seconds * 1000 + microseconds // 1000)

    def restart(self, child: Child) -> None:
        """Killed, with whatever it started; and started again, as the supervisor does."""
        child.kill()
        assert child.process is not None
        child.process.wait()
        child.close()
        child.spawn()

    def said_by_webs(self) -> list[str]:
        """What the webs behind the doors, and nginx, have logged since this was asked last."""
        return [line for child in self.children for line in iter_lines(child)]

    def asked_postgres_since(self, instant: str) -> int:
        """How many of the doors' database connections were used since then, by PostgreSQL's clock."""
        with psycopg.connect(self.house.database_url) as session:
            row = session.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = ANY(%s) AND state_change > %s",
                [list(self.webs), instant],
            ).fetchone()
        assert row is not None
        return int(row[0])

    def postgres_now(self) -> str:
        with psycopg.connect(self.house.database_url) as session:
            row = session.execute("SELECT clock_timestamp()::text").fetchone()
        assert row is not None
        return str(row[0])

    def the_audit_finds_nothing(self, *, at_rest: bool = False) -> dict[str, Any]:
        """Of all sales so far, with everything that buyers were told."""
        found = proof.audit(self.house, at_rest=at_rest, patient=False)
        broken = [f"{rule['name']}: {rule['offenders']}" for rule in found["rules"] if not rule["ok"]]
        assert broken == []
        return found

    def close(self) -> None:
        self.redis.close()
        if self.operator is not None:
            self.operator.kill()
            self.operator.communicate()
        for each in self.children:
            each.kill()
            if each.process is not None:
                each.process.wait()
            each.close()
        self.house.close()

    def _said(self) -> str:
        assert self.operator is not None
        assert self.operator.stdout is not None
        said = self.operator.stdout.readline()
        assert said, "the operator fell over"
        return said

    def _web(self, name: str, application: str = SHOP, *, port: int = 0, socket: str = "") -> Child:
        static = str(self.house.folder / "static")
        arguments = web_arguments(host="127.0.0.1", port=port, static=static, socket=socket)
        environment = {
            **self.house.environment,
            leftovers.MARK: str(self.house.folder),
            "DATABASE_URL": self.house.database_url,
            "GATEWAY": "nginx" if socket else "web",
            "PGAPPNAME": name,
        }
        command = [sys.executable, *arguments[:-1], application]
        return Child(name, command, ends=0, env=environment, cwd=BASE, socket=socket)

    def _nginx(self) -> Nginx:
        limits = {"orders_rate": ORDERS_RATE, "orders_burst": ORDERS_BURST}
        nginx = Nginx(Env(_env_file=None, port=self.gateway, **limits), self.house.folder)  # type: ignore[call-arg, arg-type]
        problem = nginx.problem()
        assert problem is None, problem
        return nginx


@contextlib.contextmanager
def opened(*, shoppers: int, stocks: list[int]) -> Iterator[Front]:
    """The front, and at its end the audit at rest over everything that happened before it."""
    front = Front()
    try:
        front.start(shoppers=shoppers, stocks=stocks)
        yield front
        front.the_audit_finds_nothing(at_rest=True)
    finally:
        front.close()


def iter_lines(child: Child) -> Iterator[str]:
    """The lines that are there now."""
    while lines := child.read():
        yield from lines
