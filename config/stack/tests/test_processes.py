"""The list of processes agrees with the programs it names."""

from __future__ import annotations

import pytest
from celery.bin.celery import celery
from click import Command
from django.core.management import get_commands
from granian.cli import cli as granian

from config.stack import ready
from config.stack.processes import GROUPS, NAMES, PREPARE, Process, processes
from queueing.conf import subscriptions
from shop import demo

HOUSE = processes(host="127.0.0.1", port=8000, static="static")


def test_the_groups_are_those_of_the_house() -> None:
    assert sorted(GROUPS) == sorted(subscriptions())


def test_names_are_unique() -> None:
    names = [process.name for process in HOUSE]

    assert tuple(names) == NAMES
    assert len({PREPARE.name, *names}) == len(names) + 1


@pytest.mark.parametrize("process", [p for p in HOUSE if p.arguments[0] == "manage.py"], ids=lambda p: p.name)
def test_every_management_command_exists(process: Process) -> None:
    assert process.arguments[1] in get_commands()


@pytest.mark.parametrize(("program", "module"), [(granian, "granian"), (celery, "celery")], ids=["granian", "celery"])
def test_every_option_exists(program: Command, module: str, tmp_path: object) -> None:
    """click refuses an option it does not know."""
    behind_a_gateway = processes(host="", port=0, static=str(tmp_path), socket=f"{tmp_path}/web.sock")
    for process in (*processes(host="127.0.0.1", port=8000, static=str(tmp_path)), behind_a_gateway[0]):
        if process.arguments[:2] == ("-m", module):
            program.make_context(module, list(process.arguments[2:]))


def test_the_web_ends_before_those_who_work_on_its_orders() -> None:
    assert {process.name for process in HOUSE if process.ends == 0} == {"web"}


def test_the_welcome_names_the_demo_people() -> None:
    assert tuple(demo.SHOPPERS) == ready.DEMO_SHOPPERS
    assert ready.DEMO_PASSWORD == demo.SHOPPERS_PASSWORD
    assert tuple(demo.STAFF) == ready.DEMO_STAFF
