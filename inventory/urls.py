from django.urls import path

from inventory import views

app_name = "inventory"
urlpatterns = [path("sales/<int:sale_id>/stock", views.stock, name="stock")]
