"""The operator's shop: products and sales. Every save goes through the services, so that it is told."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from shop import services
from shop.forms import AddStockForm
from shop.models import Product, Sale, StockAddition, User

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    """Django's, in this admin's dress."""


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "phone", "is_staff", "last_login"]
    fieldsets = [*(DjangoUserAdmin.fieldsets or ()), ("Demo phone", {"fields": ["phone"]})]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Orders name people, and with a user the rows of what he did would go out of the log. Deactivate instead."""
        return False


@admin.register(Product)
class ProductAdmin(ModelAdmin):
    list_display = ["title", "slug", "picture"]
    search_fields = ["title"]
    prepopulated_fields = {"slug": ["title"]}

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        services.save_product(product=obj)


class StockAdditionInline(TabularInline):
    model = StockAddition
    fields = readonly_fields = ["quantity", "created_at"]
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Sale)
class SaleAdmin(ModelAdmin):
    list_display = [
        "product",
        "state",
        "price_cents",
        "stock",
        "per_user_limit",
        "starts_at",
        "ends_at",
        "published",
        "waiting_room",
    ]
    list_filter = ["published", "waiting_room", "product"]
    list_select_related = ["product"]
    date_hierarchy = "starts_at"
    fieldsets = [
        (None, {"fields": ["product", "price_cents", "stock", "per_user_limit", "starts_at", "ends_at", "published"]}),
        ("Waiting room", {"fields": ["waiting_room", "turns_per_s", "turn_s"]}),
    ]
    inlines = [StockAdditionInline]
    actions_detail = ["add_stock"]

    @display(
        description="State",
        label={"upcoming": "info", "open": "success", "paused": "warning", "ended": "default"},
    )
    def state(self, sale: Sale) -> str:
        state = sale.state_at(timezone.now()).value
        return "paused" if state == "open" and sale.paused else state

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The operator's clock may be another one than the shop's, so the form names the shop's."""
        hints = {"starts_at": "UTC. The second at which it opens for everyone.", "ends_at": "UTC."}
        return super().get_form(request, obj, change, help_texts=hints, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Orders refer to the product and the ledger to the first stock: after creation both stay."""
        return ["product", "stock"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A sale has orders; end it instead."""
        return False

    def save_model(self, request: HttpRequest, obj: Sale, form: Any, change: bool) -> None:
        if change:
            services.reschedule_sale(
                sale=obj,
                price_cents=obj.price_cents,
                per_user_limit=obj.per_user_limit,
                starts_at=obj.starts_at,
                ends_at=obj.ends_at,
                published=obj.published,
                room=_room(obj),
            )
        else:
            made = services.schedule_sale(
                product=obj.product,
                price_cents=obj.price_cents,
                stock=obj.stock,
                per_user_limit=obj.per_user_limit,
                starts_at=obj.starts_at,
                ends_at=obj.ends_at,
                published=obj.published,
                room=_room(obj),
            )
            # The admin goes on with its own object: the log entry, the message and the redirect need its key.
            obj.pk, obj._state.adding = made.pk, False

    @action(description="Add stock", url_path="add-stock", permissions=["add_stock"])
    def add_stock(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """A form of one number: more units for this sale."""
        sale = get_object_or_404(Sale.objects.select_related("product"), pk=object_id)
        form = AddStockForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                addition = services.add_stock(sale=sale, quantity=form.cleaned_data["quantity"])
            except ValidationError as error:
                form.add_error("quantity", error)
            else:
                self.log_change(request, sale, f"Added {addition.quantity} units.")
                messages.success(request, f"{addition.quantity} more units are on their way to the gate.")
                return redirect(reverse("admin:shop_sale_change", args=[sale.pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": "Add stock",
            "opts": self.opts,
            "original": sale,  # the way back in the header
            "form": form,
        }
        return render(request, "shop/admin/add_stock.html", context)

    def has_add_stock_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return bool(self.has_change_permission(request))


def _room(sale: Sale) -> services.Room:
    return services.Room(sale.waiting_room, sale.turns_per_s, sale.turn_s)
