from django.urls import path

from orders import views

app_name = "orders"
urlpatterns = [
    path("sales/<int:sale_id>/buy", views.buy, name="buy"),
    path("orders/", views.mine, name="mine"),
    path("orders/<uuid:order_id>", views.order, name="order"),
    path("orders/<uuid:order_id>/live", views.live, name="live"),
]
