from django.contrib.auth.views import LogoutView
from django.urls import path

from shop import accounts, views

app_name = "shop"
urlpatterns = [
    path("", views.home, name="home"),
    path("sales/<int:sale_id>", views.sale, name="sale"),
    path("login", accounts.LoginView.as_view(), name="login"),
    path("register", accounts.RegisterView.as_view(), name="register"),
    path("logout", LogoutView.as_view(), name="logout"),
]
