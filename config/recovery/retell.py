"""Every order that waits for somebody's word is given it again: the event may have been in the data that was lost.

From rows alone. Who has decided already says it again; who has not is asked again. Hearing it twice changes nothing.
"""

from __future__ import annotations

from django.db import transaction

from inventory import retelling as inventory
from logistics import retelling as logistics
from orders import retelling as orders
from orders.states import Status
from payments import retelling as payments
from shop.services import retell_sales


@transaction.atomic
def retell_everything() -> int:
    """Returns how many orders were waiting."""
    retell_sales()
    created, confirmed = orders.ids_in(Status.CREATED), orders.ids_in(Status.CONFIRMED)
    paid, shipped = orders.ids_in(Status.PAID), orders.ids_in(Status.SHIPPED)
    ended = orders.ids_in(Status.REJECTED, Status.EXPIRED, Status.CANCELLED)
    unasked = created - inventory.retell_deductions(order_ids=created)
    unasked |= confirmed - payments.retell_payments(order_ids=confirmed)
    unasked |= (paid | shipped) - logistics.retell_shipments(order_ids=paid | shipped)
    unasked |= ended - inventory.returned(order_ids=ended)
    orders.retell(order_ids=unasked)
    inventory.retell_movements()
    payments.retell_refunds()
    return len(created | confirmed | paid | shipped)
