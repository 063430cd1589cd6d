"""Every process of the house, as data: the local stack runs this list, and docker-compose.yml is tested against it."""

from __future__ import annotations

from dataclasses import dataclass

GROUPS = ("orders", "inventory", "payments", "logistics", "notifications")
CELERY = ("-m", "celery", "--quiet", "-A", "config.celery")


@dataclass(frozen=True, slots=True)
class Process:
    """A program: `python` followed by these arguments, in the folder of manage.py.

    name: unique; the prefix of its lines.
    ends: 0 ends first. The web stops taking orders before anything stops working on them.
    """

    name: str
    arguments: tuple[str, ...]
    ends: int = 1


# Migrations, static files and demo data; ends by itself before the others start.
PREPARE = Process("prepare", ("-m", "config.stack.prepare"))


def processes(*, host: str, port: int, static: str) -> tuple[Process, ...]:
    """host, port: where the web listens. static: the folder that `collectstatic` filled (settings.STATIC_ROOT)."""
    return (
        Process("web", web_arguments(host=host, port=port, static=static), ends=0),
        *(Process(group, ("manage.py", "consume", group)) for group in GROUPS),
        Process("relay", ("manage.py", "relay")),
        Process("celery", (*CELERY, "worker", "--without-gossip", "--without-mingle", "--without-heartbeat")),
        Process("beat", (*CELERY, "beat")),
    )


def web_arguments(*, host: str, port: int, static: str) -> tuple[str, ...]:
    return (
        *("-m", "granian", "--interface", "asginl", "--workers", "1", "--no-ws"),
        *("--host", host, "--port", str(port)),
        # granian's default backpressure is its backlog, and a kept-alive connection takes one place of it until it
        # closes: 1,100 waiting browsers would starve everybody else (DESIGN §4).
        *("--backlog", "8192", "--backpressure", "20000"),
        *("--static-path-route", "/static", "--static-path-mount", static, "--static-path-expires", "60"),
        "config.asgi:application",
    )
