from django.urls import path

from orders import views

app_name = "orders"
urlpatterns = [
    path("sales/<int:sale_id>/buy", views.buy, name="buy"),
    path("sales/<int:sale_id>/join", views.join_line, name="join_line"),
    path("sales/<int:sale_id>/leave", views.leave_line, name="leave_line"),
    path("orders/", views.mine, name="mine"),
    path("orders/<uuid:order_id>", views.order, name="order"),
    path("orders/<uuid:order_id>/live", views.live, name="live"),
]
