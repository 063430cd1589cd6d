"""`manage.py open_sale`: a sale for a load test, told to everybody but not shown on the front page."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.admin.models import ADDITION
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from queueing.console.logbook import write_down
from shop import demo, services
from shop.models import Sale


class Command(BaseCommand):
    help = "Schedule a sale of kettles and print its id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--stock", type=int, required=True, help="units")
        parser.add_argument("--limit", type=int, default=1, help="units per shopper")
        parser.add_argument("--starts-in", type=float, default=0, help="seconds from now")
        parser.add_argument("--minutes", type=float, default=10, help="how long it lasts")
        parser.add_argument("--price-cents", type=int, default=4900)
        parser.add_argument("--json", action="store_true", help="print id, window and page as JSON")

    def handle(self, *, starts_in: float, minutes: float, **options: Any) -> None:
        try:
            starts_at = timezone.now() + timedelta(seconds=starts_in)
            sale = services.schedule_sale(
                product=demo.product("ember-kettle"),
                price_cents=options["price_cents"],
                stock=options["stock"],
                per_user_limit=options["limit"],
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=minutes),
                published=False,
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        except (OverflowError, ValueError) as error:
            raise CommandError(f"--starts-in {starts_in:g} or --minutes {minutes:g}: {error}") from error
        said = (
            f"Scheduled {sale.stock:,} units at {sale.price_cents:,} cents, {sale.per_user_limit} a shopper, unlisted"
        )
        write_down(None, str(sale), said, flag=ADDITION, of=Sale, key=sale.pk)
        if not options["json"]:
            self.stdout.write(str(sale.pk))
            return
        facts = {
            "sale": sale.pk,
            "page": sale.get_absolute_url(),
            "stock": sale.stock,
            "price_cents": sale.price_cents,
            "per_user_limit": sale.per_user_limit,
            "starts_at": sale.starts_at.isoformat(),
            "ends_at": sale.ends_at.isoformat(),
        }
        self.stdout.write(json.dumps(facts))
