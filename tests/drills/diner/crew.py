"""The test's side of the diner: hire waiters, order dishes, wait, and look at the accounts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from django.db import connection

from config.audit.evidence import gather
from config.audit.rule import Finding
from config.audit.verdict import Verdict, judge
from queueing import keys
from queueing.broker import GroupStats
from queueing.brokers.envelope import Parked, from_json
from queueing.brokers.redis_streams import RedisStreamsBroker
from queueing.message import Message
from tests.drills.diner.events import GROUP, Ordered
from tests.drills.harness import BASE, until

TABLES = 12
SCALE = int(os.environ.get("DRILL_SCALE", "1"))  # ten is the full count
FULL = SCALE > 1


@dataclass(slots=True)
class Waiter:
    """One name; pids and statuses (exit code, or minus the signal's number) of its lives, oldest first."""

    name: str
    log: Path
    pids: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.pids[-1]

    @property
    def lives(self) -> bool:
        return len(self.ends) < len(self.pids)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def is_frozen(self) -> bool:
        return bool(self.pids) and psutil.Process(self.pid).status() == psutil.STATUS_STOPPED

    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def accounting(verdict: Verdict) -> Finding:
    """Rule 6."""
    return next(finding for finding in verdict.findings if finding.rule.number == 6)


class Mother:
    """tests/drills/diner/mother.py, running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waiters: dict[str, Waiter] = {}
        parameters = connection.get_connection_params()
        url = f"postgresql://{parameters['user']}@/{parameters['dbname']}?host={parameters['host']}"
        self.environment = {
            **os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.drills.diner.settings",
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.drills.diner.mother"],
            cwd=BASE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self.environment,
        )  # fmt: skip
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def hire(self, *, keep: bool = False, **environment: object) -> Waiter:
        name = f"waiter-{len(self.waiters)}"
        waiter = self.waiters[name] = Waiter(name, self.folder / name)
        given = {f"DINER_{key.upper()}": str(value) for key, value in environment.items() if not key.isupper()}
        given |= {key: str(value) for key, value in environment.items() if key.isupper()}
        self._tell(name=name, log=str(waiter.log), environment=given, keep=keep)
        until(lambda: waiter.pids, f"{name} has come")
        return waiter

    def dismiss(self, waiter: Waiter) -> None:
        self._tell(name=waiter.name, dismiss=True)

    def _tell(self, **order: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        """She kills whom she started, also who is frozen."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._listener.join(timeout=20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            waiter = self.waiters[told["name"]]
            if "status" in told:
                waiter.ends.append(told["status"])
            else:
                waiter.pids.append(told["pid"])


class Crew:
    """Waiters of one evening, what was ordered and what was served."""

    def __init__(self, mother: Mother, broker: RedisStreamsBroker) -> None:
        self._mother, self.broker = mother, broker
        self.environment = mother.environment
        self.waiters: list[Waiter] = []
        self.ordered = 0

    def dismiss(self, waiter: Waiter) -> None:
        self._mother.dismiss(waiter)

    def hire(self, **options: Any) -> Waiter:
        waiter = self._mother.hire(**options)
        self.waiters.append(waiter)
        return waiter

    def order(self, count: int = 1, *, deed: str = "", table: str = "") -> list[int]:
        """Returns their numbers."""
        numbers = list(range(self.ordered, self.ordered + count))
        self.broker.produce([Message.of(Ordered(table=table or str(n % TABLES), number=n, deed=deed)) for n in numbers])
        self.ordered += count
        return numbers

    @staticmethod
    def served() -> list[tuple[int, int]]:
        """(number, pid), in the order in which they were noted."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT number, pid FROM served ORDER BY id")
            return cursor.fetchall()

    def stats(self) -> list[GroupStats]:
        return self.broker.stats({GROUP: ["dishes"]})

    def total(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for row in self.stats():
            for name in ("appended", "acked", "done", "lag", "in_flight", "delayed", "parked", "dead"):
                found[name] += getattr(row, name)
        return found

    def letters(self) -> list[Parked]:
        return [
            from_json(text)
            for partition in self.broker.partitions("dishes")
            for text in self.broker.redis.hvals(keys.graves("dishes", partition, GROUP))
        ]

    def wait_for(self, condition: Callable[[], object], what: str, *, within_s: float = 60) -> None:
        def told() -> str:
            words = "\n".join(f"{waiter.name}: {waiter.said()[-1500:]}" for waiter in self.waiters[-4:])
            return f"{what}; {dict(self.total())}\n{words}"

        until(condition, told, within_s=within_s)

    def wait_for_rest(self, *, dead: int = 0, within_s: float = 60) -> None:
        """Until everything that was ordered is done, or dead."""
        self.wait_for(
            lambda: self.total() == self._at_rest(dead), f"{self.ordered - dead} done, {dead} dead", within_s=within_s
        )

    def _at_rest(self, dead: int) -> Counter[str]:
        ordered = self.ordered
        return Counter(appended=ordered, acked=ordered, done=ordered - dead, dead=dead, lag=0, in_flight=0, delayed=0,
                       parked=0)  # fmt: skip

    def each_was_served_once(self, *, but: Sequence[int] = ()) -> None:
        served = sorted(number for number, _ in self.served())
        assert served == sorted(set(range(self.ordered)) - set(but))

    def redelivered(self) -> int:
        """As those said who took them over."""
        return sum(
            int(line.split(" took over ")[1].split()[0])
            for waiter in self.waiters
            for line in waiter.said().splitlines()
            if " took over " in line
        )

    def audit(self) -> Verdict:
        with gather() as evidence:
            return judge(evidence, has_history=False)

    def the_audit_finds_nothing(self, *, trimmed: int = 0) -> None:
        """Over everything there is: rule 6 counts the diner's messages too."""
        verdict = self.audit()
        assert verdict.broken == 0, "\n".join(verdict.as_text())
        assert accounting(verdict).checked == self.ordered - trimmed

    def send_home(self) -> None:
        for waiter in self.waiters:
            self._mother.dismiss(waiter)
        until(lambda: not any(waiter.lives for waiter in self.waiters), "everybody gone", within_s=20)
