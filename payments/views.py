"""Paying and cancelling, for the buyer alone, and the bank's entrance."""

from __future__ import annotations

import time
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from payments.errors import ProviderUnavailable, WebhookRejected
from payments.selectors import PaymentState, payment_of_buyer
from payments.services import cancel_payment, start_checkout
from payments.signing import ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, verify, webhook_secret
from payments.webhooks import receive_webhook

LARGEST_WEBHOOK = 16 * 1024  # bytes; an honest one has 250


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """GET says what there is to pay, and until when. POST goes to the bank, if there is still something to pay."""
    state = _own_payment(request, order_id)
    if request.method != "POST" or not state.payable:
        return _page(request, state)
    try:
        url = start_checkout(payment=state.payment, return_url=request.build_absolute_uri(_order_page(order_id)))
    except ProviderUnavailable as error:
        messages.error(request, str(error))
        return _page(request, state, status=503)
    return redirect(url)


@login_required
@require_POST
def cancel(request: HttpRequest, order_id: UUID) -> HttpResponse:
    """Cancel before paying. If the money or the deadline was faster, the order page says what became of it."""
    _own_payment(request, order_id)
    if cancel_payment(order_id=order_id):
        messages.success(request, "Your order is cancelled. Nothing was charged.")
    else:
        messages.info(request, "This order could not be cancelled any more.")
    return redirect(_order_page(order_id))


@csrf_exempt  # the bank has no cookie; its signature is checked before a byte is believed
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """The bank tells. 2xx: understood, don't tell again. 4xx: not from the bank, or not in its language."""
    try:
        body = _small_body(request)
        event_id = request.headers.get(ID_HEADER, "")
        verify(
            event_id=event_id,
            timestamp=request.headers.get(TIMESTAMP_HEADER, ""),
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            body=body,
            secret=webhook_secret(),
            now_s=time.time(),
        )
        outcome = receive_webhook(event_id=event_id, body=body)
    except WebhookRejected as rejected:
        error = {"code": rejected.code, "message": str(rejected)}
        return JsonResponse({"error": error}, status=rejected.status)
    return JsonResponse({"outcome": outcome.value})


def _small_body(request: HttpRequest) -> bytes:
    # Read with a limit of its own: a chunked body announces no length that Django could refuse.
    body: bytes = request.read(LARGEST_WEBHOOK + 1)
    if len(body) > LARGEST_WEBHOOK:
        raise WebhookRejected("body_too_large", f"a webhook has at most {LARGEST_WEBHOOK} bytes", status=413)
    return body


def _own_payment(request: HttpRequest, order_id: UUID) -> PaymentState:
    state = payment_of_buyer(order_id=order_id, user_id=request.user.pk)
    if state is None:
        raise Http404
    return state


def _page(request: HttpRequest, state: PaymentState, *, status: int = 200) -> HttpResponse:
    context = {"state": state, "order_url": _order_page(state.payment.order_id)}
    return render(request, "payments/pay.html", context, status=status)


def _order_page(order_id: UUID) -> str:
    # Its address, not its view's name: apps know each other's addresses only.
    return f"/orders/{order_id}"
