from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from config.stack import folder
from config.stack.errors import CannotStart


def test_two_stacks_cannot_share_a_folder_and_the_second_is_told_who_has_it(tmp_path: Path) -> None:
    with folder.claim(tmp_path, port=8000), pytest.raises(CannotStart, match=r"process \d+, port 8000.*DATA_DIR="):
        folder.claim(tmp_path, port=8001)


def test_a_folder_is_free_again_when_its_stack_has_ended(tmp_path: Path) -> None:
    folder.claim(tmp_path, port=8000).close()

    folder.claim(tmp_path, port=8001).close()


def test_a_folder_that_cannot_be_made_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(CannotStart, match=r"Cannot write to .*/file/data \(Not a directory\).*DATA_DIR="):
        folder.claim(tmp_path / "file" / "data", port=8000)


def test_the_folder_remembers_what_made_it(tmp_path: Path) -> None:
    folder.check_version(tmp_path, {"postgres": "18", "redis": "valkey 9"})

    folder.check_version(tmp_path, {"postgres": "18", "redis": "valkey 9"})

    assert json.loads((tmp_path / "VERSION").read_text()) == {"layout": "1", "postgres": "18", "redis": "valkey 9"}


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        ({"layout": "0"}, "made by layout 0, this is layout 1"),
        ({"postgres": "17"}, "made by postgres 17, this is postgres 18"),
        ({"redis": "redis 7"}, "made by redis redis 7, this is redis valkey 9"),
    ],
)
def test_data_of_another_version_is_refused_and_left_alone(
    tmp_path: Path, theirs: dict[str, str], message: str
) -> None:
    note = tmp_path / "VERSION"
    note.write_text(json.dumps(theirs))

    with pytest.raises(CannotStart, match=message):
        folder.check_version(tmp_path, {"postgres": "18", "redis": "valkey 9"})

    assert json.loads(note.read_text()) == theirs


def test_a_postgresql_folder_of_another_major_is_refused_even_without_a_note(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")

    with pytest.raises(CannotStart, match="made by postgres 17"):
        folder.check_version(tmp_path, {"postgres": "18"})


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    first = folder.secret(tmp_path, "secret_key", characters=50)

    assert len(first) == 50
    assert folder.secret(tmp_path, "secret_key", characters=50) == first
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
