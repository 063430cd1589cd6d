"""Given a paid order, one parcel is packed, travels on PostgreSQL's clock, and arrives once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import pytest
import uuid_utils.compat as uuid
from django.db import IntegrityError, connection, transaction
from django.template import engines

from logistics.carrier import JOURNEY, DemoCarrier, Parcel
from logistics.handlers import SUBSCRIPTION, pack_parcels
from logistics.models import Shipment
from logistics.services import advance_shipments
from logistics.tasks import advance_shipments as sweep
from logistics.tests.support import ADA, a_shipment, make_due, told
from logistics.tracking import is_tracking_number
from orders.events import OrderPaid
from queueing.event import event_class
from queueing.models import OutboxMessage
from tests.threads import at_once, wait_until_blocked


def paid() -> OrderPaid:
    return OrderPaid(order_id=str(uuid.uuid7()), sale_id=7, user_id=ADA, quantity=1, total_cents=4_900)


def handle(*events: OrderPaid) -> None:
    with transaction.atomic():
        pack_parcels(events)


@pytest.mark.django_db
def test_a_paid_order_is_packed_and_told_with_its_tracking_number():
    event = paid()

    handle(event)

    shipment = Shipment.objects.get(order_id=event.order_id)
    assert (shipment.status, shipment.user_id) == ("packed", ADA)
    assert is_tracking_number(shipment.tracking_number)
    row = OutboxMessage.objects.get()
    created = event_class(row.name, row.version).decode(row.body.encode())
    assert (row.name, row.key) == ("logistics.ShipmentCreated", event.order_id)
    assert created.tracking_number == shipment.tracking_number


@pytest.mark.django_db
def test_the_same_order_twice_in_a_batch_and_again_later_is_one_parcel():
    event, other = paid(), paid()

    handle(event, other, event)
    number = Shipment.objects.get(order_id=event.order_id).tracking_number
    handle(event)

    assert Shipment.objects.count() == 2
    assert Shipment.objects.get(order_id=event.order_id).tracking_number == number
    assert told() == {"ShipmentCreated": 2}


@pytest.mark.django_db(transaction=True)
def test_two_consumers_with_the_same_batch_in_another_order_pack_once_each():
    one, middle, other = batch = [paid() for _ in range(3)]
    held = threading.Event()

    def hold_the_middle() -> None:
        with transaction.atomic():
            handle(middle)
            held.set()
            wait_until_blocked(2)  # unsorted, each would now have its first row and wait for the other's
            transaction.set_rollback(True)

    def consume(*events: OrderPaid) -> None:
        assert held.wait(20)
        handle(*events)

    at_once([hold_the_middle, lambda: consume(one, middle, other), lambda: consume(other, middle, one)])

    assert Shipment.objects.count() == len(batch)
    assert told() == {"ShipmentCreated": len(batch)}


class CarrierWithOneLabel(DemoCarrier):
    def labels(self, count: int) -> Sequence[str]:
        return ["SL-2222-2222-2222-2"] * count


@pytest.mark.django_db
def test_a_tracking_number_given_twice_is_an_error_not_a_lost_parcel(settings):
    settings.CARRIER = f"{__name__}.CarrierWithOneLabel"
    with pytest.raises(IntegrityError):
        handle(paid(), paid())
    assert not Shipment.objects.exists()
    assert told() == {}


@pytest.mark.django_db
def test_every_step_on_the_way_and_the_arrival_told_once():
    shipment = a_shipment()
    seen = []
    for _ in range(6):
        make_due()
        sweep()
        shipment.refresh_from_db()
        seen.append(shipment.status)
    assert seen == ["in_transit", "out_for_delivery", "delivered", "delivered", "delivered", "delivered"]
    assert shipment.next_step_at is None
    assert told() == {"ShipmentCreated": 1, "ShipmentDelivered": 1}


@pytest.mark.django_db
def test_not_before_its_time_by_postgresqls_clock(settings):
    settings.CARRIER_STEP_S = 20
    shipment = a_shipment(due=False)
    assert advance_shipments() == 0
    make_due()
    assert advance_shipments() == 1
    assert advance_shipments() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM next_step_at - clock_timestamp()) FROM logistics_shipment")
        assert 15 < cursor.fetchone()[0] <= 20
    shipment.refresh_from_db()
    assert shipment.status == "in_transit"


@pytest.mark.django_db(transaction=True)
def test_sweepers_at_once_move_each_parcel_one_step(settings):
    settings.CARRIER_STEP_S = 3_600
    for _ in range(120):
        a_shipment("out_for_delivery", due=False)
    make_due()

    counts = at_once([lambda: sum(advance_shipments(limit=10) for _ in range(40))] * 4)

    assert sum(counts) == 120
    assert told()["ShipmentDelivered"] == 120
    assert set(Shipment.objects.values_list("status", flat=True)) == {"delivered"}


class LostAndFound(DemoCarrier):
    """Has not seen one parcel, and says another went back."""

    def whereabouts(self, parcels: Sequence[Parcel]) -> Mapping[str, str]:
        return {parcel.tracking_number: "packed" for parcel in parcels if parcel.status == "out_for_delivery"}


@pytest.mark.django_db
def test_a_parcel_nobody_saw_stays_and_none_goes_back(settings):
    settings.CARRIER = f"{__name__}.LostAndFound"
    unseen, back = a_shipment("in_transit"), a_shipment("out_for_delivery")

    assert advance_shipments() == 2
    assert advance_shipments() == 0, "both are asked about again only later"

    unseen.refresh_from_db()
    back.refresh_from_db()
    assert (unseen.status, back.status) == ("in_transit", "out_for_delivery")


@pytest.mark.django_db
def test_the_sweep_works_off_more_than_one_batch_and_ends_though_no_time_passes(settings, monkeypatch):
    settings.CARRIER_STEP_S = 0
    monkeypatch.setattr("logistics.tasks.BATCH", 2)
    settings.CARRIER = f"{__name__}.LostAndFound"
    for _ in range(3):
        a_shipment()
    sweep()
    assert set(Shipment.objects.values_list("status", flat=True)) == {"packed"}


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["status = 'lost'", "status = 'delivered'", "next_step_at = NULL"])
def test_postgresql_itself_refuses_an_impossible_parcel(wrong):
    a_shipment()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE logistics_shipment SET {wrong}")


@pytest.mark.django_db
def test_the_operator_looks_and_changes_nothing(admin_client):
    shipment = a_shipment("in_transit")
    assert shipment.tracking_number in admin_client.get("/admin/logistics/shipment/").content.decode()
    assert admin_client.get("/admin/logistics/shipment/add/").status_code == 403
    assert admin_client.post(f"/admin/logistics/shipment/{shipment.pk}/delete/").status_code == 403


@pytest.mark.django_db
class TestWidget:
    def render(self, order_id) -> str:
        template = engines["django"].from_string("{% load logistics_widgets %}{% tracking order_id %}")
        return template.render({"order_id": order_id}).strip()

    def test_shows_how_far_the_parcel_came(self):
        shipment = a_shipment("in_transit")
        html = self.render(str(shipment.order_id))
        assert shipment.tracking_number in html
        assert html.count("<li") == len(JOURNEY)
        assert html.count('class="reached"') == 2
        assert html.count('aria-current="step"') == 1

    def test_is_empty_before_there_is_a_parcel(self):
        assert self.render(uuid.uuid7()) == ""


def test_the_group_is_called_logistics():
    assert SUBSCRIPTION.group == "logistics"
