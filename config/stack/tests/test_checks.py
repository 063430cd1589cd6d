from __future__ import annotations

import os
import socket

import pytest

from config.stack import checks, postgres, valkey
from config.stack.errors import CannotStart


def test_a_port_in_use_is_refused_and_a_free_one_proposed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(
            CannotStart, match=rf"Port {port} cannot be used \(Address already in use\).*PORT=\d+ make up"
        ):
            checks.port_is_free(port)


def test_a_free_port_passes() -> None:
    checks.port_is_free(valkey.free_port())


def test_a_platform_without_the_postgresql_wheel_is_told_to_bring_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "find_spec", lambda _name: None)

    with pytest.raises(CannotStart, match=r"no PostgreSQL wheel for .*DATABASE_URL="):
        checks.postgres_wheel()


def test_a_platform_without_any_redis_is_told_to_bring_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", "")

    with pytest.raises(CannotStart, match=r"no Valkey wheel for .*REDIS_URL="):
        checks.redis_program()


def test_without_the_wheel_a_redis_on_the_path_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = valkey.program()
    assert wheels is not None
    monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(wheels.parent))

    assert checks.redis_program() == "valkey 9"


def test_a_redis_that_is_too_old_will_not_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    old = tmp_path_factory.mktemp("bin") / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=6.2.14 sha=00000000:0\n")
    old.chmod(0o755)

    assert valkey.kind_of(old) is None


def test_servers_of_ones_own_are_accepted_when_they_answer() -> None:
    checks.postgres_answers(os.environ["DATABASE_URL"])
    checks.redis_answers(os.environ["REDIS_URL"])


def test_a_url_that_does_not_answer_is_refused_without_its_password() -> None:
    port = valkey.free_port()

    with pytest.raises(CannotStart, match=r"DATABASE_URL \(127.0.0.1\) does not answer") as database:
        checks.postgres_answers(f"postgresql://me:hunter2@127.0.0.1:{port}/shop")
    with pytest.raises(CannotStart, match=r"REDIS_URL \(127.0.0.1\) does not answer") as redis:
        checks.redis_answers(f"redis://:hunter2@127.0.0.1:{port}/0")

    assert "hunter2" not in f"{database.value} {redis.value}"
    assert "\n" not in f"{database.value}{redis.value}"
