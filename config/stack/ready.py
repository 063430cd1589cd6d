"""When the stack is ready, and what it says then."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable

from config.stack.folder import ADMIN_PASSWORD, DATA_DIR
from config.stack.output import Output

TELL_EVERY_S = 10.0
WELL = ("ok", "stopped by an operator")  # as config/health.py says them; it needs Django
# As shop/demo.py makes them; said here again because the supervisor does without Django.
DEMO_SHOPPERS = ("ada", "lin", "sam")
DEMO_PASSWORD = "sluice-demo"  # noqa: S105
DEMO_STAFF = ("operator", "reader")


class Patience:
    """Wraps a question; says now and then what is still waited for."""

    def __init__(self, missing: Callable[[], list[str]], output: Output) -> None:
        self._missing = missing
        self._output = output
        self._tell_at = time.monotonic() + TELL_EVERY_S

    def __call__(self) -> bool:
        """Whether nothing is missing any more."""
        missing = self._missing()
        if missing and time.monotonic() > self._tell_at:
            self._output.say(f"still waiting for {', '.join(missing)}")
            self._tell_at += TELL_EVERY_S
        return not missing


def unwell(port: int) -> list[str]:
    """What /healthz says is not well, ["web"] when nobody answers there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        components = json.loads(response.read())["components"]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return ["web"]
    finally:
        connection.close()
    if response.status == http.HTTPStatus.OK:
        return []
    found = []
    for name, state in components.items():
        parts = state if isinstance(state, dict) else {name: state}
        found += [part for part, said in parts.items() if said not in WELL]
    return found


def welcome(*, port: int, admin_password: str, data_dir: str, seconds: float) -> str:
    """The block that ends the start-up."""
    *others, last = DEMO_SHOPPERS
    operator, reader = DEMO_STAFF
    elsewhere = "" if data_dir == DATA_DIR else f"DATA_DIR={data_dir} "  # or the spike would start a shop of its own
    return f"""
  Sluice is ready after {seconds:.1f} s.

    Shop     http://127.0.0.1:{port}/
             log in as {", ".join(others)} or {last}; the password is {DEMO_PASSWORD}
    Admin    http://127.0.0.1:{port}/admin/
             log in as admin, as {operator}, who runs the room, or {reader}, who may look;
             the password of all three is {admin_password} (kept in {data_dir}/{ADMIN_PASSWORD})
    Spike    {elsewhere}make spike    from another terminal: 100,000 orders in a second, then the audit
    Logs     {data_dir}/postgres.log  {data_dir}/valkey.log
    Stop     Ctrl-C
"""
