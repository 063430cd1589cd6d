"""A pytest plugin: real PostgreSQL and Valkey for one test run, thrown away after.

Loaded with `-p`, so that it runs before pytest-django reads the settings. DATABASE_URL and REDIS_URL, when set,
point the tests at other servers. Each xdist worker has a database and a Redis number of its own.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from config.stack.servers import Postgres, Server, Valkey
from config.stack.valkey import free_port

PREFIX = "sluice-test-"
SHARING_FOLDERS = ("tests/drills/front/",)  # a stack for all of them
SHARING_FILES = ("config/audit/tests/", "tests/")  # browsers, servers, a settled house


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    gc.disable()  # collecting 3,000 tests makes objects that stay, and the collector would look at them over and over
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is not None:
        number = 1 + int(worker.removeprefix("gw"))
        os.environ["REDIS_URL"] = os.environ["REDIS_URL"].rsplit("/", 1)[0] + f"/{number}"
        return
    _remove_folders_of_killed_runs()
    # The tests start hundreds of processes, and without bytecode each of them would compile the whole house.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    servers: list[Server] = []

    def stop() -> None:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)

    early_config.add_cleanup(stop)  # before anything starts: a server that fails must not leave the other one
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 40)
    os.environ["DATA_DIR"] = str(folder)
    # The tests' shoppers all come from one address, faster than people. Tests of these limits turn them on.
    os.environ |= dict.fromkeys(("USER_RATE", "ADDRESS_RATE", "SIGN_IN_RATE"), "0")
    os.environ["FAULT_ROOM"] = "true"
    for variable, server in (
        # Nothing here outlives the run, so fsync would only cost time; drills that need it start their own.
        ("DATABASE_URL", Postgres(folder / "postgres", durable=False)),
        ("REDIS_URL", Valkey(folder / "valkey", settings={"appendfsync": "no"})),
    ):
        if variable not in os.environ:
            servers.append(server)
            server.spawn()
            os.environ[variable] = server.url
    for server in servers:
        server.wait_until_ready()


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords(django_test_environment: None) -> Iterator[None]:
    """A quarter of a second of scrypt for each account and each log-in is what a shop wants and a test does not.
    Accounts that are hashed in the settings' way are still let in."""
    from django.conf import settings  # no sooner than pytest-django has said which settings
    from django.test import override_settings

    cheap = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(PASSWORD_HASHERS=[cheap, *settings.PASSWORD_HASHERS]):
        yield


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis Cluster of one node with all 16,384 slots: it refuses whatever names keys of two slots.

    Started when the first test asks for it, as a new cluster takes no writes for two seconds.
    """
    cluster = {"cluster-enabled": "yes", "cluster-port": str(free_port()), "appendfsync": "no"}
    server = Valkey(tmp_path_factory.mktemp("cluster") / "valkey", settings=cluster)
    server.start()
    try:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 20
            while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                assert time.monotonic() < deadline, "the cluster takes no writes"
                time.sleep(0.05)
        yield server.url
    finally:
        server.stop()


@pytest.fixture
def own_redis_url(tmp_path: Path) -> Iterator[str]:
    """A Valkey of one test's own: what the test does to the whole server, others of the run would suffer from."""
    server = Valkey(tmp_path / "valkey", settings={"appendfsync": "no"})
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests that share what takes seconds to start stay in one process. In the order they were collected: the longest
    are in the first folder. (xdist's own `loadgroup` sets a private attribute that pytest 9.2 has no more.)"""
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            folder = next((folder for folder in SHARING_FOLDERS if path.startswith(folder)), None)
            return folder or (path if path.startswith(SHARING_FILES) else nodeid)

    config.option.loadscopereorder = False
    return Sharing(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test empties Redis on purpose: what this process told the buyers of the one before is forgotten."""
    approval = sys.modules.get("inventory.approval")
    if approval is not None:
        approval.forget()


def _remove_folders_of_killed_runs() -> None:
    """A run ended by SIGKILL took its servers with it (config/stack/lifeline.py) but not its folder."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
