"""Every environment variable Sluice reads, with its type, default and meaning. `.env.example` lists the same."""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import Literal

from dotenv import dotenv_values
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.stack.folder import DATA_DIR

STACK_ENV = "stack.env"  # in DATA_DIR while a stack runs there: manage.py beside it finds the same servers


def _files() -> tuple[str, ...]:
    folder = os.environ.get("DATA_DIR") or dotenv_values(".env").get("DATA_DIR") or DATA_DIR
    note = f"{folder}/{STACK_ENV}"
    return (note, ".env") if os.access(note, os.R_OK) else (".env",)


class Env(BaseSettings):
    """Values come from the process's environment, then a `.env` beside manage.py, then a running stack."""

    model_config = SettingsConfigDict(env_file=_files(), extra="ignore")

    database_url: str = Field(
        default="", description="postgresql://user:password@host/name; empty: `make up` brings its own PostgreSQL"
    )
    redis_url: str = Field(default="", description="redis://host:6379/0; empty: `make up` brings its own Valkey")
    secret_key: str = Field(
        default="", description="signs sessions, passes and order tokens; `make up` makes one in DATA_DIR"
    )
    secret_key_fallbacks: str = Field(
        default="", description="comma-separated former secret keys; what they signed still opens"
    )
    debug: bool = Field(default=False, description="Django's debug pages; never on a public machine")
    allowed_hosts: str = Field(default="localhost,127.0.0.1,[::1]", description="comma-separated host names")
    port: int = Field(default=8000, ge=1, le=65535, description="where the shop listens")
    data_dir: str = Field(default=DATA_DIR, description="PostgreSQL's and Valkey's files, the secrets, the logs")
    gateway: Literal["auto", "nginx", "web"] = Field(
        default="auto", description="who keeps the two limits: nginx, the web process, or auto: nginx where installed"
    )
    gateway_rate: int = Field(default=10_000, ge=1, description="requests a second that may reach a web process")
    gateway_burst: int = Field(default=1_000, ge=1, description="how many more than that at once")
    gateway_in_flight: int = Field(default=1024, ge=1, description="how many of them may be under way at a time")
    orders_rate: int = Field(default=5_000, ge=1, description="of these, requests a second to place an order")
    orders_burst: int = Field(default=250, ge=1, description="how many more than that at once")
    orders_in_flight: int = Field(default=256, ge=1, description="how many of them may be under way at a time")
    gateway_status: str = Field(
        default="",
        description="where nginx tells the web what it counted: unix:/path or http://host:port; empty: nowhere",
    )
    user_rate: float = Field(
        default=10,
        ge=0,
        description="attempts a second of one shopper to buy in one sale, and as many to get a pass or a place;"
        " 0: any number",
    )
    user_burst: int = Field(default=20, ge=1, description="how many of them at once")
    address_rate: float = Field(
        default=50,
        ge=0,
        description="attempts a second from one address to buy in one sale, and as many for passes and places;"
        " 0: any number",
    )
    address_burst: int = Field(default=200, ge=1, description="how many of them at once")
    sign_in_rate: float = Field(
        default=1, ge=0, description="log-ins and registrations a second from one address; 0: any number"
    )
    sign_in_burst: int = Field(default=30, ge=1, description="how many of them at once")
    trusted_proxies: str = Field(
        default="127.0.0.2",
        description="comma-separated networks whose X-Forwarded-For is believed; 127.0.0.2 is the load generator's",
    )
    self_url: str = Field(
        default="", description="where the demo bank reaches the shop's webhook; empty: http://127.0.0.1:PORT"
    )
    replicas_to_ack: int = Field(
        default=0, ge=0, description="replicas of Redis that must have an order before its buyer is told so"
    )
    payment_due_s: int = Field(default=900, ge=1, description="seconds a buyer has to pay")
    payment_webhook_secret: str = Field(
        default="", description="shared with the payment provider; empty: derived from SECRET_KEY"
    )
    proof_of_work: int = Field(
        default=50_000, ge=1, description="tries a browser needs at most for a sale's pass; 50,000 are about a second"
    )
    pass_lasts_s: int = Field(default=7200, ge=60, description="seconds a sale's pass is good for")
    carrier_step_s: float = Field(default=20.0, ge=0, description="seconds between two steps of the demo carrier")
    fault_room: bool = Field(
        default=False, description="operators may make faults happen; `make up` says true, never on a public machine"
    )
    behind_https: bool = Field(default=False, description="cookies only over TLS, HSTS on")
    metrics_token: str = Field(
        default="", description="a bearer token that may read /metrics from anywhere; empty: none"
    )
    metrics_allow: str = Field(
        default="127.0.0.0/8,::1",
        description="comma-separated networks that may read /metrics without it, never via a proxy",
    )
    otel_exporter_otlp_endpoint: str = Field(
        default="", description="where spans go, OTLP over HTTP: http://localhost:4318; empty: no spans are made"
    )
    log_level: str = Field(default="INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: Literal["plain", "json"] = Field(default="plain", description="plain, or json: one object a line")

    @field_validator("data_dir")
    @classmethod
    def _not_the_clone_itself(cls, folder: str) -> str:
        """Set but empty would be the current folder: the servers' files between the sources."""
        return folder or DATA_DIR

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: str) -> str:
        for network in networks.split(","):
            if network.strip():
                ip_network(network.strip())
        return networks


env = Env()
