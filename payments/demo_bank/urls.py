from django.urls import path

from payments.demo_bank import views

urlpatterns = [path("<uuid:charge_id>", views.charge_page, name="demo-bank")]
