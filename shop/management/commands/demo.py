"""`manage.py demo`: goods, sales and people to look around with. Running it again changes nothing that still stands."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from shop import demo


class Command(BaseCommand):
    help = "Stock the shop with demo goods, sales and people, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--admin-password-file",
            type=Path,
            help="where the password of the staff is kept; made with a random one if absent. Without it: no staff",
        )

    def handle(self, *, admin_password_file: str | Path | None, **options: Any) -> None:
        scheduled = demo.stock_the_shelves(now=timezone.now())
        demo.welcome_shoppers()
        if admin_password_file is not None:
            demo.appoint_staff(password_file=Path(admin_password_file))
        if options["verbosity"]:
            names = ", ".join(demo.SHOPPERS)
            self.stdout.write(f"{len(scheduled)} sales scheduled; shoppers {names}, password {demo.SHOPPERS_PASSWORD}")
