"""`manage.py passes`: passes for a load test, as many as there are shoppers, made before the hot second."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.contrib.admin.models import ADDITION
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError

from orders import passes
from queueing.console.logbook import write_down


class Command(BaseCommand):
    help = (
        "Issue passes of one sale to the first N shoppers of `manage.py shoppers`, without log-in and puzzle: a line "
        "`<user id> <session key> <pass>` each. Whoever may run this may do anything, so it opens no door."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--sale", type=int, required=True)
        parser.add_argument("--count", type=int, required=True, help="how many")
        parser.add_argument("--prefix", default="load", help="as given to `manage.py shoppers`")
        parser.add_argument("--out", type=Path, required=True, help="the file to write")

    def handle(self, *, sale: int, count: int, prefix: str, out: Path, **options: Any) -> None:
        shoppers = get_user_model().objects.filter(username__startswith=f"{prefix}-").order_by("username")
        ids = list(shoppers.values_list("pk", flat=True)[:count])
        if len(ids) < count:
            raise CommandError(f"there are {len(ids)} shoppers {prefix}-…, not {count}: manage.py shoppers makes them")
        with out.open("w") as file:
            for user_id in ids:
                session_key = f"{prefix}{user_id}"
                sale_pass, _ = passes.issue(user_id=user_id, sale_id=sale, session_key=session_key)
                file.write(f"{user_id} {session_key} {sale_pass}\n")
        write_down(None, f"sale {sale}", f"Issued {count:,} passes of sale {sale} to {prefix}-…", flag=ADDITION)
        self.stdout.write(f"{count} passes of sale {sale} in {out}")
