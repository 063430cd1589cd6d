"""Documents must not rot: what they name exists, and what they promise to run is there to run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        if not target.startswith(("http://", "https://")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    named = set(re.findall(r"\bmake ([a-z]+)\b", " ".join(_code(document))))

    assert named <= targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_in_code_marks_exists(document: Path) -> None:
    for mark in _code(document):
        for word in mark.split():
            if re.fullmatch(r"[a-z_]+(/[A-Za-z_.0-9-]+)+/?", word) and not word.startswith("reports/"):
                assert (ROOT / word).exists(), f"{document.name} names {word}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_is_named_exists(document: Path) -> None:
    for file, name in re.findall(r"`([\w/]+\.py)::(\w+)`", document.read_text()):
        assert f"def {name}(" in (ROOT / file).read_text(), f"{document.name} names {file}::{name}"


def test_the_drills_that_were_asked_for_have_a_row() -> None:
    rows = re.findall(r"^\| (\d+) \| .*::test_drill_(\d+)_", (ROOT / "docs" / "drills.md").read_text(), re.MULTILINE)

    assert {int(number) for number, _ in rows} >= {3, 4, 5, 7, 8, 9, 10, 12, 16, 17, 18, 19, *range(20, 25), 27, 28}
    assert [number for number, named in rows if int(number) != int(named)] == []


def test_the_readme_starts_with_the_two_commands() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)

    assert [line.split("#")[0].strip() for line in blocks[0].splitlines()] == ["make up", "make test"]


def _code(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", document.read_text()) + re.findall(r"```sh\n(.*?)```", document.read_text(), re.S)
