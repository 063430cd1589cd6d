"""`manage.py shoppers`: a crowd for load tests."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.admin.models import ADDITION
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError

from queueing.console.logbook import write_down
from shop.models import User

AT_ONCE = 5_000
MOST = 1_000_000


class Command(BaseCommand):
    help = "Make N shoppers that share one random password; print it and their names."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--count", type=int, required=True, help="how many")
        parser.add_argument("--prefix", default="load", help="names are PREFIX-000001, PREFIX-000002 …")
        parser.add_argument("--json", action="store_true", help='print {"password": …, "usernames": […]}')

    def handle(self, *, count: int, prefix: str, **options: Any) -> None:
        if not 1 <= count <= MOST:
            raise CommandError(f"--count is between 1 and {MOST}, not {count}")
        if not prefix.isidentifier():
            raise CommandError(f"--prefix is letters, digits and _, not {prefix!r}")
        password = secrets.token_urlsafe(12)
        # One hash for all: scrypt takes 50 ms on purpose, and a crowd of 10,000 would take minutes.
        hashed = make_password(password)
        names = [f"{prefix}-{number:06}" for number in range(1, count + 1)]
        User.objects.bulk_create(
            (
                User(username=name, password=hashed, email=f"{name}@example.com", phone=f"+49 30 {number:06}")
                for number, name in enumerate(names, 1)
            ),
            batch_size=AT_ONCE,
            # Those of an earlier run are used again, with the new password.
            update_conflicts=True,
            unique_fields=["username"],
            update_fields=["password"],
        )
        write_down(None, "shoppers", f"Made {count:,} shoppers, {names[0]} to {names[-1]}", flag=ADDITION, of=User)
        if options["json"]:
            self.stdout.write(json.dumps({"password": password, "usernames": names}))
        else:
            self.stdout.write(f"{count} shoppers, {names[0]} to {names[-1]}, password {password}")
