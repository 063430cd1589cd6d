"""GET /api/sales/{sale}: what everybody polls."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Router
from ninja.errors import HttpError

from inventory import selectors

router = Router(tags=["sales"])


@router.get("/sales/{int:sale_id}", url_name="sale", auth=None)
def sale(request: HttpRequest, sale_id: int) -> HttpResponse:
    """State and stock of a sale on Redis's clock. Cacheable for a second: 100,000 shoppers ask, one answer serves them.

    404: no such sale. 503 with Retry-After: Redis is away or the sale's gate is being rebuilt.
    """
    state = selectors.gate_of(sale_id)
    if state is None:
        if selectors.is_known(sale_id):
            raise HttpError(503, "This sale's gate is being rebuilt.")
        raise HttpError(404, "There is no such sale.")
    response = JsonResponse(selectors.public_view(sale_id, state, selectors.line_of(sale_id, state)))
    response["Cache-Control"] = settings.SHARED
    return response
