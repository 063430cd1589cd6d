from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from shop import services
from shop.models import Product, Sale, User


@pytest.fixture
def kettle(db: None) -> Product:
    return Product.objects.create(
        title="Ember kettle",
        slug="ember-kettle",
        blurb="Boils in two minutes.",
        picture="pictures/kettle.svg",
    )


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", email="ada@example.test", password="correct horse 7", phone="+49 30 1234")


@pytest.fixture
def make_sale(kettle: Product) -> Callable[..., Sale]:
    """A sale that started a minute ago and lasts an hour, unless told otherwise."""

    def make(
        *, starts_in: timedelta = timedelta(minutes=-1), lasts: timedelta = timedelta(hours=1), **facts: Any
    ) -> Sale:
        starts_at: datetime = timezone.now() + starts_in
        wanted = {"price_cents": 4900, "stock": 50, "per_user_limit": 1, **facts}
        return services.schedule_sale(product=kettle, starts_at=starts_at, ends_at=starts_at + lasts, **wanted)

    return make
