"""`python -m tests.drills.opening SHOPPERS STOCK...`: a crowd that is inside, and a sale for each stock, as JSON.

Sessions and passes are written, not logged in and puzzled for: both cost time on purpose, before a sale starts, and no
drill is about them.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from io import StringIO
from typing import Any


def main(shoppers: int, stocks: list[int]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    def said_by(command: str, **options: Any) -> Any:
        out = StringIO()
        call_command(command, json=True, stdout=out, **options)
        return json.loads(out.getvalue())

    names = said_by("shoppers", count=shoppers, prefix="drill")["usernames"]
    sales = [said_by("open_sale", stock=stock, minutes=60) for stock in stocks]
    sessions = _sessions(names, until=timezone.now() + timedelta(hours=1))
    passes = {sale["sale"]: _passes(sessions, sale["sale"]) for sale in sales}
    print(json.dumps({"sessions": sessions, "passes": passes, "sales": sales}))


def _sessions(names: list[str], *, until: Any) -> dict[str, str]:
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session

    from shop.models import User

    store, keys, rows = SessionStore(), {}, []
    for user in User.objects.filter(username__in=names):
        facts = {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
            HASH_SESSION_KEY: user.get_session_auth_hash(),
        }
        keys[user.username] = store._get_new_session_key()
        rows.append(Session(session_key=keys[user.username], session_data=store.encode(facts), expire_date=until))
    Session.objects.bulk_create(rows)
    return keys


def _passes(sessions: dict[str, str], sale: int) -> dict[str, str]:
    from orders import passes
    from shop.models import User

    return {
        user.username: passes.issue(user_id=user.pk, sale_id=sale, session_key=sessions[user.username])[0]
        for user in User.objects.filter(username__in=sessions)
    }


if __name__ == "__main__":
    main(int(sys.argv[1]), list(map(int, sys.argv[2:])))
