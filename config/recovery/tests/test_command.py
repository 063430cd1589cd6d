"""`manage.py rebuild`, and what the relay says when it can't."""

from __future__ import annotations

from io import StringIO

import pytest
import redis
from django.core.management import CommandError, call_command

from config.recovery import upkeep
from config.recovery.look import NotPrimary
from config.recovery.tests.shop import Shop
from inventory.models import Rebuild, SaleStock


def rebuild(**options: object) -> str:
    out = StringIO()
    call_command("rebuild", stdout=out, **options)
    return out.getvalue()


def test_a_dry_run_says_what_is_lost_and_changes_nothing(shop: Shop) -> None:
    assert rebuild(dry_run=True) == "nothing is lost\n"
    shop.client.flushdb()

    assert rebuild(dry_run=True) == f"sale {shop.sale.pk}: its gate is gone\n"

    assert not Rebuild.objects.exists()
    assert shop.gate is None
    assert "every gate is open" in rebuild()
    assert shop.gate is not None


def test_one_sale_is_rebuilt_though_nothing_complains(shop: Shop) -> None:
    with pytest.raises(CommandError, match="sale 424242 never had a gate"):
        rebuild(sale=424242)

    assert f"sale {shop.sale.pk}: an operator asked for it" in rebuild(sale=shop.sale.pk)

    assert shop.gate is not None
    assert shop.gate.epoch == SaleStock.objects.get(sale_id=shop.sale.pk).epoch == 2
    assert shop.buy("ada").receipt.epoch == 2


def test_orders_that_nobody_works_off_keep_a_gate_closed(shop: Shop) -> None:
    shop.buy("ada")

    with pytest.raises(CommandError, match="1 orders of its admission log have no row yet"):
        rebuild(sale=shop.sale.pk, within=0)

    assert shop.gate is not None
    assert not shop.gate.is_open


@pytest.mark.parametrize("trouble", [NotPrimary("a replica of nowhere"), redis.ConnectionError("gone")])
def test_the_relay_goes_on_and_says_why_nothing_is_rebuilt(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: Exception
) -> None:
    def turn() -> None:
        raise trouble

    monkeypatch.setattr(upkeep, "turn", turn)
    monkeypatch.setattr(upkeep, "_said", {})
    upkeep.recover()
    upkeep.recover()

    assert [str(trouble) in record.message for record in caplog.records] == [True], "once in ten seconds"
