"""Who shops, what is sold, and when."""

from __future__ import annotations

import unicodedata
from datetime import datetime

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.urls import reverse
from uuid_utils.compat import uuid7

MOST_UNITS = 10_000_000
LONGEST_TURN_S = 120  # the gate remembers two minutes of turns
LONGEST_NOTICE = 200
ZERO_WIDTH_JOINER = "\u200d"  # in many emoji

phone_number = RegexValidator(
    r"^\+?[0-9][0-9 ()/-]{4,18}$",
    "Enter a phone number: digits, spaces and - ( ) / only, with or without + in front.",
)


def one_line(text: str) -> None:
    """Letters, digits, signs and spaces. What ends a line, is invisible or turns the reading direction is none of them.

    Raises:
        ValidationError: and which character it was.
    """
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} and character != ZERO_WIDTH_JOINER:
            raise ValidationError(
                "One line of plain text, please: there is a character U+%(code)s in it.",
                params={"code": f"{ord(character):04X}"},
            )


class User(AbstractUser):
    """A shopper or an operator. The phone is where the demo SMS go."""

    phone = models.CharField(max_length=20, blank=True, validators=[phone_number])

    class Meta(AbstractUser.Meta):
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="one_name_however_it_is_written",
                violation_error_message="This name is taken. Please choose another.",
            )
        ]


class Product(models.Model):
    """What is on the shelf. Its price belongs to each sale of it."""

    title = models.CharField(max_length=80)
    slug = models.SlugField(unique=True)
    blurb = models.TextField(help_text="Two or three sentences for the sale's page.")
    picture = models.CharField(max_length=120, help_text="Static path of its SVG, such as pictures/kettle.svg")

    def __str__(self) -> str:
        return self.title


class SaleState(models.TextChoices):
    UPCOMING = "upcoming"
    OPEN = "open"
    ENDED = "ended"


class WaitingRoom(models.TextChoices):
    """off: whoever comes may order. on: in the line's order. closed: nobody new is let in."""

    OFF = "off"
    ON = "on"
    CLOSED = "closed"


class Sale(models.Model):
    """So many units of a product, at one price, between two instants: open in [starts_at, ends_at).

    `stock` is what the sale was given at first and never changes; later units are StockAdditions. What is
    left of them only the stock ledger and the admission gate know.
    """

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="sales")
    price_cents = models.PositiveIntegerField(help_text="Per unit, in cents.")
    # Bounded, so that a sale and all that is ever added to it fit the ledger's and Lua's whole numbers.
    stock = models.PositiveIntegerField(help_text="Units at the start.", validators=[MaxValueValidator(MOST_UNITS)])
    per_user_limit = models.PositiveIntegerField(default=1, help_text="Units one shopper may buy.")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    published = models.BooleanField(
        default=True,
        help_text="Shown on the front page. Load tests sell by address only, without being shown.",
    )
    waiting_room = models.CharField(
        max_length=6,
        choices=WaitingRoom,
        default=WaitingRoom.OFF,
        help_text="On: those who come before the start are drawn at random, who comes later queues behind them. "
        "Closed: nobody new is let in. It may be switched while the sale runs.",
    )
    turns_per_s = models.PositiveIntegerField(
        default=500,
        validators=[MinValueValidator(1), MaxValueValidator(100_000)],
        help_text="How many shoppers a second the waiting room lets in.",
    )
    turn_s = models.PositiveIntegerField(
        default=60,
        validators=[MinValueValidator(5), MaxValueValidator(LONGEST_TURN_S)],
        help_text="Seconds a shopper has to order once it is his turn. Then the turn is given on.",
    )
    paused = models.BooleanField(
        default=False, help_text="Nobody new may buy until it is resumed. Orders that are admitted go on."
    )
    notice = models.CharField(
        max_length=LONGEST_NOTICE,
        blank=True,
        validators=[one_line],
        help_text="One line for everybody who looks at the sale. Empty: none.",
    )
    revision = models.PositiveIntegerField(
        default=1, editable=False, help_text="Counts the changes; the gate says which one it has taken in."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price_cents__gt=0),
                name="sale_price_positive",
                violation_error_message="The price is above 0.",
            ),
            models.CheckConstraint(
                condition=Q(stock__gt=0),
                name="sale_stock_positive",
                violation_error_message="A sale has at least 1 unit.",
            ),
            models.CheckConstraint(
                condition=Q(per_user_limit__gt=0),
                name="sale_limit_positive",
                violation_error_message="The limit per shopper is at least 1.",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="sale_ends_after_start",
                violation_error_message="A sale ends after it starts.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product.title} · {self.starts_at:%d %b %H:%M} UTC"

    def get_absolute_url(self) -> str:
        return reverse("shop:sale", args=[self.pk])

    def clean(self) -> None:
        # The gate counts milliseconds since 1970, and refuses what is before; a year with two digits is such a date.
        if self.starts_at is not None and self.starts_at.timestamp() < 0:
            raise ValidationError({"starts_at": "A sale starts after 1970."})

    def state_at(self, now: datetime) -> SaleState:
        """The clock is passed in, so that a page judges all its sales by one instant."""
        if now < self.starts_at:
            return SaleState.UPCOMING
        return SaleState.OPEN if now < self.ends_at else SaleState.ENDED


class StockAddition(models.Model):
    """Units added to a sale after it was scheduled. Its id makes adding them once safe to repeat."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sale = models.ForeignKey(Sale, on_delete=models.PROTECT, related_name="additions")
    quantity = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quantity__gt=0),
                name="stock_addition_positive",
                violation_error_message="Add at least 1 unit.",
            )
        ]

    def __str__(self) -> str:
        return f"+{self.quantity} for sale {self.sale_id}"
