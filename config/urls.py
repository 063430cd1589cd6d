from django.contrib import admin
from django.urls import include, path

from config.api import api
from config.health import healthz, readyz
from config.metrics import metrics

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("api/", api.urls),
    path("", include("shop.urls")),
    path("", include("inventory.urls")),
    path("", include("orders.urls")),
    path("", include("payments.urls")),
    path("", include("notifications.urls")),
    path("admin/room/", include("config.room.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "config.errors.bad_request"
handler403 = "config.errors.permission_denied"
handler404 = "config.errors.page_not_found"
handler500 = "config.errors.server_error"
