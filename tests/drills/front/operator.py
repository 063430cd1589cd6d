"""`python -m tests.drills.front.operator`: the shop's operator, who does what a line of JSON says and answers with one.

{"do": "add_stock", "sale": 3, "quantity": 5}
{"do": "reschedule", "sale": 3, "price_cents": 4901, "starts_at_ms": …, "ends_at_ms": …, "limit": 1, "room": "on",
 "turns_per_s": 5, "turn_s": 5}                           what is left out stays as it is
{"do": "retell"}                                          every sale is announced a second time
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import Any


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    print("ready", flush=True)
    for line in sys.stdin:
        wish = json.loads(line)
        print(json.dumps(_DEEDS[wish.pop("do")](**wish)), flush=True)


def _add_stock(*, sale: int, quantity: int) -> str:
    from shop import services
    from shop.models import Sale

    return str(services.add_stock(sale=Sale.objects.get(pk=sale), quantity=quantity).pk)


def _reschedule(*, sale: int, **changes: Any) -> int:
    from shop import services
    from shop.models import Sale

    found = Sale.objects.get(pk=sale)
    instants = {
        name: datetime.fromtimestamp(changes[f"{name}_ms"] / 1000, UTC) if f"{name}_ms" in changes else was
        for name, was in (("starts_at", found.starts_at), ("ends_at", found.ends_at))
    }
    room = services.Room(
        mode=changes.get("room", found.waiting_room),
        turns_per_s=changes.get("turns_per_s", found.turns_per_s),
        turn_s=changes.get("turn_s", found.turn_s),
    )
    changed = services.reschedule_sale(
        sale=found,
        price_cents=changes.get("price_cents", found.price_cents),
        per_user_limit=changes.get("limit", found.per_user_limit),
        published=found.published,
        room=room,
        **instants,
    )
    return changed.pk


def _retell() -> int:
    from shop import services

    return services.retell_sales()


_DEEDS = {"add_stock": _add_stock, "reschedule": _reschedule, "retell": _retell}

if __name__ == "__main__":
    main()
