"""Register and log in. `next` leads back to where the shopper was, if that is in this shop."""

from __future__ import annotations

from django.contrib.auth import login
from django.contrib.auth.views import LoginView as DjangoLoginView
from django.contrib.auth.views import RedirectURLMixin
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import FormView

from shop.forms import RegisterForm
from shop.models import User


class LoginView(DjangoLoginView):
    template_name = "shop/login.html"
    redirect_authenticated_user = True


@method_decorator([sensitive_post_parameters("password"), never_cache], name="dispatch")
class RegisterView(RedirectURLMixin, FormView):  # type: ignore[type-arg]  # generic only in the stubs
    """RedirectURLMixin honours `next` only for addresses of this host."""

    template_name = "shop/register.html"
    form_class = RegisterForm
    next_page = "shop:home"

    def dispatch(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.user.is_authenticated:
            return redirect(self.get_success_url())
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: RegisterForm) -> HttpResponse:
        try:
            with transaction.atomic():
                user: User = form.save()
        except IntegrityError:
            # Somebody took the name between the form's look and this insert.
            form.add_error("username", "This name is taken. Please choose another.")
            return self.form_invalid(form)
        login(self.request, user)
        return redirect(self.get_success_url())

    def get_context_data(self, **kwargs: object) -> dict[str, object]:
        # As LoginView does: the page's form carries `next` on.
        return super().get_context_data(**kwargs) | {self.redirect_field_name: self.get_redirect_url()}
