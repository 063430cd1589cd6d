"""Placing an order, below HTTP."""

from __future__ import annotations

import pytest
from django.db import connection

from orders import services
from orders.errors import Refused


@pytest.mark.django_db(transaction=True)
def test_a_buyer_who_waits_for_the_gate_holds_no_database_connection(settings):
    """Sixteen buyers in front of a hanging Redis would otherwise stop every other page."""
    connection.ensure_connection()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(Refused, match="unavailable"):
        services.place_order_sync(sale_id=7, user_id=1, idempotency_key="first-try", quantity=1)

    assert connection.connection is None


@pytest.mark.parametrize("quantity", [0, -1, 101, 10**9])
def test_a_quantity_out_of_range_is_refused_before_anybody_is_asked(settings, quantity):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    with pytest.raises(Refused, match="between 1 and 100"):
        services.place_order_sync(sale_id=7, user_id=1, idempotency_key="first-try", quantity=quantity)
