"""Whatever happens in whatever order: captured - refunded = paid orders, and an order ends once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from payments.demo_bank.models import DemoRefund
from payments.demo_bank.provider import DemoBank
from payments.demo_bank.services import pay_charge
from payments.models import Charge, Payment, Refund
from payments.money import send_refunds
from payments.services import cancel_payment, expire_unpaid_payments, start_checkout
from payments.tests.support import a_payment, make_due, money_is_right, notice, told
from payments.webhooks import receive_webhook

ENDINGS = ("PaymentSucceeded", "PaymentExpired", "PaymentCancelled")
STEPS = st.tuples(
    st.sampled_from(["capture", "capture second charge", "decline", "become due", "expire", "cancel", "refund"]),
    st.integers(0, 1),  # which of the two orders
    st.integers(0, 3),  # event id: small, so that ids come again
)


class AnyHistory(TestCase):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(STEPS, max_size=14))
    def test_keeps_the_books_right_after_every_step(self, steps):
        payments = [a_payment(amount_cents=4_900), a_payment(amount_cents=1)]
        charges = [self.charges_of(payment) for payment in payments]
        ended: dict[int, str] = {}
        for what, which, number in steps:
            self.take(what, payments[which], charges[which], number)

            assert money_is_right()
            for at, payment in enumerate(payments):
                payment.refresh_from_db()
                events = told(payment.order_id)
                endings = sum(events[name] for name in ENDINGS)
                assert endings == (payment.status != "pending")
                assert ended.setdefault(at, payment.status) == payment.status or ended[at] == "pending"
                ended[at] = payment.status
                assert events["RefundRequested"] == Refund.objects.filter(order_id=payment.order_id).count()
                assert events["PaymentFailed"] == payment.declines
        sent = Refund.objects.filter(status="succeeded").count()
        assert DemoRefund.objects.count() == sent == told()["RefundSucceeded"]

    def charges_of(self, payment: Payment) -> list[Charge]:
        start_checkout(payment=payment, return_url="http://testserver/")
        second = DemoBank().create_charge(
            order_id=payment.order_id,
            amount_cents=payment.amount_cents,
            currency="EUR",
            return_url="http://testserver/",
            idempotency_key=f"again-{payment.order_id}",
        )
        Charge.objects.create(id=second.id, payment=payment, amount_cents=payment.amount_cents)
        return sorted(Charge.objects.filter(payment=payment), key=lambda charge: charge.id == second.id)

    def take(self, what: str, payment: Payment, charges: list[Charge], number: int) -> None:
        match what:
            case "capture" | "capture second charge":
                charge = charges[what != "capture"]
                pay_charge(charge_id=charge.id)
                receive_webhook(event_id=f"c{number}-{charge.id}", body=notice(charge))
            case "decline":
                body = notice(charges[0], kind="charge.declined")
                receive_webhook(event_id=f"d{number}-{charges[0].id}", body=body)
            case "become due":
                make_due(payment.order_id, in_s=-1)
            case "expire":
                expire_unpaid_payments()
            case "cancel":
                cancel_payment(order_id=payment.order_id)
            case "refund":
                send_refunds(refund_ids=Refund.objects.values_list("id", flat=True))
