from django.urls import include, path

from payments import views

app_name = "payments"
urlpatterns = [
    path("pay/<uuid:order_id>", views.pay, name="pay"),
    path("pay/<uuid:order_id>/cancel", views.cancel, name="cancel"),
    path("payments/webhook", views.webhook, name="webhook"),
    path("demo-bank/", include("payments.demo_bank.urls")),
]
