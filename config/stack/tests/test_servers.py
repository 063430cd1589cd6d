from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from config.stack.foreground import ServerFailed
from config.stack.servers import Postgres, Valkey
from config.stack.tests.conftest import ended, until


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("pg", numbered=True) / "data", durable=False)
    yield server
    server.stop()


def test_committed_rows_survive_a_killed_postgresql_whose_number_another_program_has_now(postgres: Postgres) -> None:
    postgres.start()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (it int)")
        connection.execute("CHECKPOINT")
    assert postgres.process is not None
    backends = psutil.Process(postgres.process.pid).children()
    postgres.process.kill()
    postgres.process.wait()
    until(lambda: all(ended(backend.pid) for backend in backends))
    note = postgres.folder / "postmaster.pid"
    note.write_text(note.read_text().replace(str(postgres.process.pid), str(os.getppid()), 1))

    postgres.start()

    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_an_initdb_that_was_killed_is_done_again(postgres: Postgres) -> None:
    unfinished = postgres.folder.with_suffix(".new")
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")

    postgres.start()

    assert postgres.answers()
    assert not unfinished.exists()


@pytest.mark.parametrize("name", ["it is a rather long name " * 4, "straße ü" * 6, "a,b", 'a"b'])
def test_a_folder_too_long_or_odd_for_a_socket_gets_one_elsewhere(tmp_path: Path, name: str) -> None:
    server = Postgres(tmp_path / name / "postgres", durable=False)
    try:
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        server.stop()
    assert not server.socket_folder.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "valkey", settings={"maxmemory": "as much as you like"})

    with pytest.raises(ServerFailed, match=r"valkey exited with 1: .*maxmemory.*valkey\.log"):
        server.start()
