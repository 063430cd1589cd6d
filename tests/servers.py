"""A pytest plugin: real PostgreSQL and Valkey for one test run, thrown away after.

Loaded with `-p`, so that it runs before pytest-django reads the settings. DATABASE_URL and REDIS_URL, when set, point
the tests at other servers. Each xdist worker has a database and a Redis number of its own.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from config.stack.servers import Postgres, Server, Valkey


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        number = 1 + int(worker.removeprefix("gw"))
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rsplit("/", 1)[0] + f"/{number}"
        return
    folder = Path(tempfile.mkdtemp(prefix="sluice-test-"))
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 40)
    os.environ["DATA_DIR"] = str(folder)
    servers: list[Server] = []
    for variable, server in (
        # Nothing here outlives the run, so fsync would only cost time; the drills that need it start their own.
        ("DATABASE_URL", Postgres(folder / "postgres", durable=False)),
        ("REDIS_URL", Valkey(folder / "valkey", settings={"appendfsync": "no"})),
    ):
        if variable not in os.environ:
            server.start()
            servers.append(server)
            os.environ[variable] = server.url

    def stop() -> None:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)

    early_config.add_cleanup(stop)
