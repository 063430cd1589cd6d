"""The bank's page. Whoever has the link may pay, as with any bank; the shop's log-in means nothing here."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from payments.demo_bank.models import DemoCharge
from payments.demo_bank.services import decline_charge, pay_charge
from payments.demo_bank.weather import take_your_time


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def charge_page(request: HttpRequest, charge_id: UUID) -> HttpResponse:
    """GET shows the two buttons, POST presses one and sends the buyer back to the shop."""
    if request.method == "POST":
        take_your_time()  # before it takes a connection to the database
    charge = get_object_or_404(DemoCharge, id=charge_id)
    if request.method != "POST":
        return render(request, "demo_bank/charge.html", {"charge": charge})
    match request.POST.get("decision"):
        case "pay":
            pay_charge(charge_id=charge.id)
            # The buyer is back before the webhook is: the page they come to should not ask for the money again.
            return redirect(f"{charge.return_url}?bank=paid")
        case "decline":
            decline_charge(charge_id=charge.id)
        case other:
            return HttpResponseBadRequest(f"decision must be pay or decline, not {other!r}", "text/plain")
    return redirect(charge.return_url)
