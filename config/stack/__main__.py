"""`make up`: check, start both servers, prepare, run every process, say when it is ready, end it all on Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from config.stack import checks, folder, leftovers, nginx
from config.stack.child import Child, KeptServer
from config.stack.errors import CannotStart
from config.stack.output import Output
from config.stack.processes import NAMES, PREPARE, Process, processes
from config.stack.ready import Patience, unwell, welcome
from config.stack.servers import Postgres, Server, ServerFailed, Valkey
from config.stack.supervisor import Supervisor

if TYPE_CHECKING:
    from config.env import Env

BASE = Path(__file__).resolve().parents[2]
SERVERS_END = {Valkey.name: 2, Postgres.name: 3}  # after every process that uses them
OPEN_FILES = 65536


def main() -> int:
    try:
        from config.env import Env  # reads the environment as it is imported

        # Not the settings a running stack leaves for manage.py: those are of an earlier run.
        env = Env(_env_file=".env")  # type: ignore[call-arg]
        run(env)
    except ValidationError as problem:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in problem.errors())
        return _refuse(f"The environment is wrong. {wrong}")
    except (CannotStart, ServerFailed) as problem:
        return _refuse(str(problem))
    return 0


def run(env: Env) -> None:
    """Until a stop signal.

    Raises:
        CannotStart, ServerFailed: with one line for the user; whatever was started has ended.
    """
    began = time.monotonic()
    data_dir = Path(env.data_dir).expanduser().resolve()
    output = Output(["postgres", "valkey", "nginx", PREPARE.name, *NAMES])
    with folder.claim(data_dir, port=env.port), contextlib.ExitStack() as stack:
        if killed := leftovers.end(data_dir):
            output.say(f"ended {killed} processes that an earlier, killed stack had left on {data_dir}")
        checks.port_is_free(env.port)
        _allow_open_files()
        os.environ[leftovers.MARK] = str(data_dir)  # inherited by all we start, so that it can be found again
        gateway = nginx.choose(env, data_dir, output)
        listed = processes(
            host="127.0.0.1",
            port=env.port,
            static=str(data_dir / "static"),
            socket=gateway.web_socket if gateway else "",
        )
        servers = _servers(env, data_dir, output)
        stack.callback(output.say, "stopped")
        for server in servers:
            stack.callback(server.stop)  # after the supervisor has ended them: it only tidies up then
        # Consumers leave by themselves when the autoscaler is gone; in a hurry nobody waits for them.
        stack.callback(leftovers.end, data_dir)
        supervisor = stack.enter_context(Supervisor(output))
        for server in servers:
            supervisor.add(KeptServer(server, ends=SERVERS_END[server.name]))
        if not supervisor.run(Patience(lambda: [s.name for s in servers if not s.is_ready()], output)):
            return
        variables = _variables(env, data_dir, servers) | {"GATEWAY": "nginx" if gateway else "web"}
        variables["GATEWAY_STATUS"] = gateway.status if gateway else ""
        stack.callback(_note(data_dir, variables).unlink, missing_ok=True)

        def child(process: Process) -> Child:
            command = [sys.executable, *process.arguments]
            environment = {**os.environ, **variables}
            return Child(
                process.name, command, ends=process.ends, env=environment, cwd=BASE, socket=process.socket,
                nice=process.nice,
            )  # fmt: skip

        code = supervisor.run_once(child(PREPARE))
        if code is None:
            return
        if code != 0:
            raise CannotStart("The data could not be prepared; the lines above say why")
        for process in listed:
            supervisor.add(child(process))
        if gateway:
            supervisor.add(gateway)
        if supervisor.run(Patience(lambda: unwell(env.port), output)):
            seconds = time.monotonic() - began
            password = (data_dir / folder.ADMIN_PASSWORD).read_text().strip()
            output.block(welcome(port=env.port, admin_password=password, data_dir=env.data_dir, seconds=seconds))
            supervisor.run()


def _servers(env: Env, data_dir: Path, output: Output) -> list[Server]:
    """Those to bring along: a URL in the environment names one that runs already."""
    servers: list[Server] = []
    made_by: dict[str, str] = {}
    if env.database_url:
        checks.postgres_answers(env.database_url)
    else:
        made_by["postgres"] = checks.postgres_wheel()
        servers.append(Postgres(data_dir / "postgres"))
    if env.redis_url:
        if warning := checks.redis_answers(env.redis_url):
            output.say(f"warning: {warning}")
    else:
        made_by["redis"] = checks.redis_program()
        servers.append(Valkey(data_dir / "valkey"))
    folder.check_version(data_dir, made_by)
    return servers


def _variables(env: Env, data_dir: Path, servers: list[Server]) -> dict[str, str]:
    urls = {server.name: server.url for server in servers}
    return {
        "DATABASE_URL": urls.get(Postgres.name, env.database_url),
        "REDIS_URL": urls.get(Valkey.name, env.redis_url),
        "SECRET_KEY": env.secret_key or folder.secret(data_dir, "secret_key", characters=50),
        "DATA_DIR": str(data_dir),
        "PORT": str(env.port),
        # A shop that is started like this is there to be tried out; whoever says otherwise is believed.
        "FAULT_ROOM": str(env.fault_room or "fault_room" not in env.model_fields_set),
        "PYTHONUNBUFFERED": "1",
    }


def _note(data_dir: Path, variables: dict[str, str]) -> Path:
    """Leave the settings where config/env.py finds them, so that `manage.py audit` works beside the stack."""
    from config.env import STACK_ENV

    note = data_dir / STACK_ENV
    note.unlink(missing_ok=True)
    with open(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        for name, value in variables.items():
            quoted = value.replace("\\", "\\\\").replace("'", "\\'")
            file.write(f"{name}='{quoted}'\n")
    return note


def _allow_open_files() -> None:
    """Each waiting browser is an open file, of the web and of nothing else; the usual limit of 1,024 is too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _refuse(message: str) -> int:
    print(f"sluice: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
