"""Something to look at: six goods, a few sales around now, three shoppers and three of the staff."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import connection, transaction

from shop import services
from shop.models import Product, Sale, User

# Ordinary shoppers, documented so that anybody can look around; the password of the staff is random.
SHOPPERS = {"ada": "+44 20 5550 1815", "lin": "+86 10 5550 1969", "sam": "+1 202 555 0170"}
SHOPPERS_PASSWORD = "sluice-demo"  # noqa: S105  printed by `make up`
ADMIN = "admin"  # may do everything, also say who may do what
STAFF = {"operator": "operator", "reader": "read-only"}  # user name → role, a group of config/roles.py
ON_CALL = "+44 20 5550 1999"  # the staff's telephone: /phone/ shows each of them their own messages

# Two `make up` at once on one database must not both stock the shelves.
_LOCK = 0x51_01CE


@dataclass(frozen=True, slots=True)
class Good:
    slug: str
    title: str
    blurb: str
    picture: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A demo sale: when it starts from now, and how long it lasts."""

    slug: str
    price_cents: int
    stock: int
    per_user_limit: int
    starts_in: timedelta
    lasts: timedelta


GOODS = [
    Good(
        "ember-kettle",
        "Ember kettle",
        "A gooseneck that pours where you look. Enamelled steel, 0.9 litres, at 96 degrees in four minutes and then "
        "held there for an hour.",
        "pictures/kettle.svg",
    ),
    Good(
        "nightjar-lamp",
        "Nightjar lamp",
        "One brass arm, one joint, one warm circle of light on your page and none in anybody else's eyes.",
        "pictures/lamp.svg",
    ),
    Good(
        "fieldnote-camera",
        "Fieldnote camera",
        "Thirty-six frames, a bright 40 mm lens and no screen to look at. You will find out on Thursday.",
        "pictures/camera.svg",
    ),
    Good(
        "tidemark-sneakers",
        "Tidemark sneakers",
        "Blue canvas, yellow heel, laces that stay tied. They look better after the first puddle.",
        "pictures/sneakers.svg",
    ),
    Good(
        "hush-headphones",
        "Hush headphones",
        "Closed, soft and light. They take the train out of the music and leave the music in the train.",
        "pictures/headphones.svg",
    ),
    Good(
        "errand-bicycle",
        "Errand bicycle",
        "Upright, unhurried, with a basket for exactly one market day. Mudguards included, hills excluded.",
        "pictures/bicycle.svg",
    ),
]

_HOUR = timedelta(hours=1)
SLOTS = [
    Slot("ember-kettle", 4900, 500, 1, -_HOUR, 48 * _HOUR),
    Slot("nightjar-lamp", 7900, 40, 2, -2 * _HOUR, 8 * _HOUR),
    Slot("fieldnote-camera", 18900, 100, 1, timedelta(minutes=3), 24 * _HOUR),
    Slot("tidemark-sneakers", 9900, 250, 2, 24 * _HOUR, 2 * _HOUR),
    Slot("hush-headphones", 12900, 60, 1, -26 * _HOUR, 2 * _HOUR),
    # The bicycle waits for an operator to schedule its sale in the admin.
]


def product(slug: str) -> Product:
    """The demo good of this name, put on the shelf if it is not there."""
    good = next(good for good in GOODS if good.slug == slug)
    found = Product.objects.filter(slug=slug).first()
    return found or services.save_product(
        product=Product(slug=slug, title=good.title, blurb=good.blurb, picture=good.picture)
    )


@transaction.atomic
def stock_the_shelves(*, now: datetime) -> list[Sale]:
    """The goods, and a sale in each slot whose last one is over. Returns the sales it scheduled.

    Run again while they last it changes nothing; run on another day it fills the front page again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    goods = {good.slug: product(good.slug) for good in GOODS}
    scheduled = []
    for slot in SLOTS:
        starts_at = now + slot.starts_in
        ends_at = starts_at + slot.lasts
        standing = Sale.objects.filter(product=goods[slot.slug], published=True)
        if ends_at > now:  # the slot of the ended sale is filled once, the others again when they are over
            standing = standing.filter(ends_at__gt=now)
        if standing.exists():
            continue
        sale = services.schedule_sale(
            product=goods[slot.slug],
            price_cents=slot.price_cents,
            stock=slot.stock,
            per_user_limit=slot.per_user_limit,
            starts_at=starts_at,
            ends_at=ends_at,
        )
        scheduled.append(sale)
    return scheduled


@transaction.atomic
def welcome_shoppers() -> None:
    """ada, lin and sam, if they are not there. Nobody's password is changed."""
    missing = SHOPPERS.keys() - set(User.objects.filter(username__in=SHOPPERS).values_list("username", flat=True))
    if not missing:
        return
    password = make_password(SHOPPERS_PASSWORD)
    people = [
        User(username=name, password=password, email=f"{name}@example.com", phone=SHOPPERS[name])
        for name in sorted(missing)
    ]
    User.objects.bulk_create(people, ignore_conflicts=True)


@transaction.atomic
def appoint_staff(*, password_file: Path) -> None:
    """The user `admin`, and one of each role. Their password is in `password_file`, made if absent: random, mode 0600.

    Who is there already is given the file's password: the file is what `make up` points people to.

    Raises:
        OSError: the file can be neither read nor made.
    """
    password = _password_in(password_file)
    admin = User.objects.filter(username=ADMIN).first()
    if admin is None:
        admin = User.objects.create_superuser(ADMIN, email=f"{ADMIN}@example.com", phone=ON_CALL, password=password)
    elif not admin.check_password(password):
        admin.set_password(password)
        admin.save(update_fields=["password"])
    for name, role in STAFF.items():
        # The same hash: scrypt is slow on purpose, and `make up` should not be.
        known = {"email": f"{name}@example.com", "phone": ON_CALL, "is_staff": True, "password": admin.password}
        person, _ = User.objects.get_or_create(username=name, defaults=known)
        if not person.is_staff:  # a shopper took the name before there were roles
            continue
        if person.password != admin.password:
            person.password = admin.password
            person.save(update_fields=["password"])
        person.groups.add(Group.objects.get(name=role))


def _password_in(file: Path) -> str:
    try:
        # Never readable by others, not even for the instant between open and chmod.
        with open(file, "x", opener=_private, encoding="ascii") as fresh:
            fresh.write(secrets.token_urlsafe(15) + "\n")
    except FileExistsError:
        pass
    password = file.read_text(encoding="ascii").strip()
    if not password:
        raise OSError(f"{file} is empty: delete it to have a new password made")
    return password


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
