"""Passwords can't be tried out at will."""

from __future__ import annotations

import pytest
import redis
from django.test import Client

from config.env import Env
from config.sign_in import bucket_of


@pytest.fixture
def valkey(settings):
    settings.SIGN_IN_RATE = (0.01, 5)
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.flushdb()
        yield client
        client.flushdb()


def guess(address: str, path: str = "/login") -> int:
    form = {"username": "ada", "password": "guess"}
    return Client().post(path, form, REMOTE_ADDR=address).status_code


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/login", "/register", "/admin/login/"])
def test_five_tries_at_once_and_then_one_now_and_then_whoever_else_tries(valkey, path):
    assert [guess("203.0.113.7", path) for _ in range(5)] == [200] * 5
    refused = Client().post(path, {}, REMOTE_ADDR="203.0.113.7")
    assert refused.status_code == 429
    assert 50 <= int(refused["Retry-After"]) <= 100
    assert "Too many tries" in refused.content.decode()

    assert guess("203.0.113.8", path) == 200, "another address"


@pytest.mark.django_db
def test_looking_at_the_form_is_no_try(valkey):
    for _ in range(20):
        assert Client().get("/login", REMOTE_ADDR="203.0.113.7").status_code == 200
    assert valkey.dbsize() == 0


@pytest.mark.django_db
def test_an_address_is_forgotten_when_its_bucket_is_empty(valkey):
    for _ in range(3):
        guess("203.0.113.7")

    assert 200_000 < valkey.pttl(bucket_of("203.0.113.7")) <= 300_000


@pytest.mark.django_db
def test_a_redis_that_is_away_shuts_nobody_out(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"

    assert [guess("203.0.113.7") for _ in range(3)] == [200] * 3


def test_the_house_does_limit_them():
    assert Env.model_fields["sign_in_rate"].default == 1
