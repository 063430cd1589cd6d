"""Every process of the house, as data: the local stack runs this list, and docker-compose.yml is tested against it."""

from __future__ import annotations

from dataclasses import dataclass

# Consumers are the autoscaler's children, as many of each group as its lag needs.
GROUPS = ("orders", "inventory", "payments", "logistics", "notifications")
AUTOSCALER = "autoscaler"
NAMES = ("web", AUTOSCALER, "relay", "celery", "beat")
CELERY = ("-m", "celery", "--quiet", "-A", "config.celery")


@dataclass(frozen=True, slots=True)
class Process:
    """A program: `python` followed by these arguments, in the folder of manage.py.

    name: unique; the prefix of its lines.
    ends: 0 ends first. The web stops taking orders before anything stops working on them.
    socket: a Unix socket it makes. One that was killed leaves the file behind, and the next could not bind.
    nice: 0 to 19. What works off the queue yields to what answers shoppers, where both want the same cores.
    """

    name: str
    arguments: tuple[str, ...]
    ends: int = 1
    socket: str = ""
    nice: int = 0


BEHIND_THE_QUEUE, BESIDE_IT = 15, 19
# Migrations, static files and demo data; ends by itself before the others start.
PREPARE = Process("prepare", ("-m", "config.stack.prepare"))


def processes(*, host: str, port: int, static: str, socket: str = "") -> tuple[Process, ...]:
    """host, port: where the web listens; or socket: the path of a Unix socket, behind a gateway on this machine.

    static: the folder that `collectstatic` filled (settings.STATIC_ROOT).
    """
    return (
        Process("web", web_arguments(host=host, port=port, static=static, socket=socket), ends=0, socket=socket),
        Process(AUTOSCALER, ("manage.py", "autoscale"), nice=BEHIND_THE_QUEUE),
        Process("relay", ("manage.py", "relay"), nice=BEHIND_THE_QUEUE),
        Process(
            "celery",
            (*CELERY, "worker", "--without-gossip", "--without-mingle", "--without-heartbeat"),
            nice=BESIDE_IT,
        ),
        Process("beat", (*CELERY, "beat"), nice=BESIDE_IT),
    )


def web_arguments(*, host: str, port: int, static: str, socket: str = "") -> tuple[str, ...]:
    listens = ("--host", host, "--port", str(port))
    if socket:  # in a folder that nobody but nginx may enter
        listens = ("--uds", socket, "--uds-permissions", "0o666")
    return (
        *("-m", "granian", "--interface", "asginl", "--workers", "1", "--no-ws"),
        *listens,
        # granian's default backpressure is its backlog, and a kept-alive connection takes one place of it until it
        # closes: 1,100 waiting browsers would starve everybody else (DESIGN §4).
        *("--backlog", "8192", "--backpressure", "20000"),
        # As nginx: more than 32 kB of headers is nobody's browser. By default it would take 400 kB of each connection.
        *("--http1-buffer-size", "32768"),
        *("--static-path-route", "/static", "--static-path-mount", static, "--static-path-expires", "60"),
        "config.asgi:application",
    )
