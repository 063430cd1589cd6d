from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A shopper or an operator. The phone is where the demo SMS go."""

    phone = models.CharField(max_length=20, blank=True)
