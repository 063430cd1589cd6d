"""The usual way: a django-ninja async view that does nothing, in a Django without a single middleware."""

from __future__ import annotations

from typing import Any

from django.conf import settings

settings.configure(
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=[],
    SECRET_KEY="only-for-benchmarks",  # noqa: S106
)

import django  # noqa: E402

django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from ninja import NinjaAPI, Schema  # noqa: E402

api = NinjaAPI()


class Purchase(Schema):
    quantity: int


@api.post("/sales/{int:sale_id}/orders", response={202: dict[str, int]})
async def place_order(request: Any, sale_id: int, purchase: Purchase) -> Any:
    return 202, {}


urlpatterns = [path("api/", api.urls)]
application = get_asgi_application()
