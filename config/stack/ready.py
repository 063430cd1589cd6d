"""When the stack is ready, and what it says then."""

from __future__ import annotations

import http.client
import json
import time

from config.stack.output import Output

TELL_AFTER_S = 30.0


class Ready:
    """Asks /healthz until all is well; says once what it waits for when that takes long."""

    def __init__(self, port: int, output: Output) -> None:
        self._port = port
        self._output = output
        self._tell_at = time.monotonic() + TELL_AFTER_S

    def __call__(self) -> bool:
        status, missing = health(self._port)
        if status == http.HTTPStatus.OK:
            return True
        if time.monotonic() > self._tell_at:
            self._output.say(f"still waiting for: {', '.join(missing) or 'the web server'}")
            self._tell_at += TELL_AFTER_S
        return False


def health(port: int) -> tuple[int | None, list[str]]:
    """/healthz's status (None: nobody answers) and the components that are not well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        components = json.loads(response.read())["components"]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return None, []
    finally:
        connection.close()
    flat: dict[str, str] = {}
    for name, value in components.items():
        flat.update(
            {f"{name} {part}": state for part, state in value.items()} if isinstance(value, dict) else {name: value}
        )
    return response.status, [name for name, state in flat.items() if state != "ok"]


def welcome(*, port: int, admin_password: str, data_dir: str, seconds: float) -> str:
    """The block that ends the start-up."""
    return f"""
  Sluice is ready after {seconds:.1f} s.

    Shop     http://127.0.0.1:{port}/
             log in as ada, ben or cleo; the password is demo-ada, demo-ben or demo-cleo
    Admin    http://127.0.0.1:{port}/admin/
             log in as admin with {admin_password}  (kept in {data_dir}/admin_password)
    Load     make spike     200 shoppers on one sale, audited
    Logs     {data_dir}/postgres.log, {data_dir}/valkey.log
    Stop     Ctrl-C
"""
