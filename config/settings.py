"""Django's settings. What differs between machines comes from the environment (config/env.py)."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from config.env import env

BASE_DIR = Path(__file__).resolve().parent.parent

if not env.secret_key:
    raise ImproperlyConfigured(
        f"no stack runs in {env.data_dir}. Start one with `make up`, or name the folder of the one that runs: "
        "DATA_DIR=… in front of this command. On servers of your own, set SECRET_KEY, DATABASE_URL and REDIS_URL"
    )
if not env.database_url or not env.redis_url:
    raise ImproperlyConfigured("DATABASE_URL and REDIS_URL are not set. `make up` starts both servers and sets them.")

SECRET_KEY = env.secret_key
# What an earlier key signed still opens: put the old one here when you change it, and drop it a day later.
SECRET_KEY_FALLBACKS = [key.strip() for key in env.secret_key_fallbacks.split(",") if key.strip()]
DEBUG = env.debug
ALLOWED_HOSTS = [host.strip() for host in env.allowed_hosts.split(",") if host.strip()]

HOUSE = ["shop", "orders", "inventory", "payments", "logistics", "notifications"]
INSTALLED_APPS = [
    "config.apps.HouseConfig",
    "queueing",
    *HOUSE,
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
]
AUTH_USER_MODEL = "shop.User"

MIDDLEWARE = [
    "config.request_context.RequestContext",
    "django.middleware.security.SecurityMiddleware",
    "config.csp.content_security_policy",
    "config.sign_in.sign_ins_per_address",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.nul.refuse_nul_in_queries",
    "config.method.api_method_not_allowed",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "config" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]


def _database(url: str) -> dict[str, Any]:
    """postgresql://user:password@host:port/name?host=/socket/dir → Django's dictionary, with a connection pool.

    ASGI runs every request in a thread of its own, so persistent connections would pile up; the pool bounds them.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"DATABASE_URL must start with postgresql://, not {parts.scheme}://")
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    return {
        "ENGINE": "config.postgres",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_HEALTH_CHECKS": False,  # it is config.postgres that looks
        "OPTIONS": {"pool": {"min_size": 0, "max_size": 16, "timeout": 5}, "connect_timeout": 5, **query},
    }


DATABASES = {"default": _database(env.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.redis_url
# How many replicas must have what was written before anybody is told (docs/guarantees.md).
REPLICAS_TO_ACK = env.replicas_to_ack
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "cache"}
}

# Sessions live in PostgreSQL: an emptied Redis must not log anybody out.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "config.errors.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.behind_https
SECURE_HSTS_SECONDS = 31_536_000 if env.behind_https else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"

# scrypt: memory-hard, in the standard library, and a fifth of PBKDF2's time at Django's iteration count.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "shop:login"
LOGIN_REDIRECT_URL = "shop:home"
LOGOUT_REDIRECT_URL = "shop:home"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = Path(env.data_dir).resolve() / "static"
STATICFILES_DIRS = [BASE_DIR / "config" / "static"]
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o755  # of STATIC_ROOT's folders: nginx may run under another account
# A body larger than this is refused before it is parsed; the largest honest one is a form of a few hundred bytes.
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024

# The message queue. Apps name topics in their events; how they are cut is decided here.
QUEUEING: dict[str, Any] = {
    "BROKER": "queueing.brokers.redis_streams.RedisStreamsBroker",
    "OPTIONS": {"url": REDIS_URL, "replicas_to_ack": REPLICAS_TO_ACK},
    "APPS": HOUSE,
    # Called by the relay about once a second, besides its own work.
    "UPKEEP": ["config.recovery.upkeep.recover"],
    "TOPICS": {
        # The admission log: one partition per sale, written by the gate's script.
        "orders.placed": {"dynamic": True, "gate_group": "orders", "capacity": 200_000},
        # Every later fact about an order, in order per order id.
        # Kept for a day once every group has settled it; the other two are the audit's evidence and stay.
        "orders.events": {"partitions": 4, "retention_s": 24 * 3600},
        "sales.events": {"partitions": 1},
    },
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "global_keyprefix": "celery:",
    # A Redis that stopped answering must not hold up a consumer that only wants to hand over a task.
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    # Nor one that refuses: without this a publisher tries for six seconds, even when told not to retry. The worker and
    # beat have retries of their own.
    "max_retries": 0,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # Redis may be away for an hour; the worker waits for it
# Tasks wait for PostgreSQL and for providers, so the threads of one process are enough.
CELERY_WORKER_POOL = "threads"
CELERY_WORKER_CONCURRENCY = 4
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # nobody calls it, and it is one more connection
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
# In memory: every period is a minute or less, so there is nothing to remember, and no file to find torn after a kill.
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"

# Who carries SMS and e-mail: a class with notifications.provider.Provider's method, and what it is made with.
NOTIFICATIONS: dict[str, Any] = {"PROVIDER": "notifications.demo_phone.DemoPhone", "OPTIONS": {}}

# The human check before a sale: the tries a browser needs at most (half as many on average), and what it earns.
PROOF_OF_WORK = env.proof_of_work
PASS_LASTS_S = env.pass_lasts_s

SELF_URL = env.self_url or f"http://127.0.0.1:{env.port}"
PAYMENT_DUE_S = env.payment_due_s
CURRENCY = "EUR"
# Who takes the money: a class with payments.provider.Provider's methods. Its webhooks are signed with the secret.
PAYMENT_PROVIDER = "payments.demo_bank.provider.DemoBank"
PAYMENT_WEBHOOK_SECRET = env.payment_webhook_secret
# Who carries the parcels: a class with logistics.carrier.Carrier's methods.
CARRIER = "logistics.carrier.DemoCarrier"
CARRIER_STEP_S = env.carrier_step_s

# The operator's admin: the storefront's name and teal.
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Sluice",
    "SITE_HEADER": "Sluice",
    "SITE_SUBHEADER": "Operators",
    "SITE_URL": "/",
    "SITE_ICON": lambda request: static("logo.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("logo.svg")}],
    "STYLES": [lambda request: static("operator.css")],
    "COLORS": {
        "primary": {
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#14b8a6",
            "600": "#0d9488",
            "700": "#0f766e",
            "800": "#115e59",
            "900": "#134e4a",
            "950": "#042f2e",
        },
    },
    "SIDEBAR": {"show_search": False, "navigation": "config.sidebar.navigation"},
}

# Of answers that are the same for everybody: one fetches for all, and while it does, who asks gets the one of a moment
# ago. Not of any moment: after a quiet minute nobody is told what was so then.
SHARED = "public, max-age=1, stale-while-revalidate=2, stale-if-error=10"

# The two limits of everything where no nginx keeps them: requests a second, how many more at once, how many under way.
GATEWAY = env.gateway
GATEWAY_STATUS = env.gateway_status
GATEWAY_LIMIT = (env.gateway_rate, env.gateway_burst, env.gateway_in_flight)
ORDERS_LIMIT = (env.orders_rate, env.orders_burst, env.orders_in_flight)
# Attempts to buy in one sale (admit.lua): a second, and at once; 0 a second is any number.
RATE_PER_USER = (env.user_rate, env.user_burst)
RATE_PER_ADDRESS = (env.address_rate, env.address_burst)
# Log-ins and registrations of one address (config/sign_in.py): each costs scrypt's 145 ms of a core, on purpose.
SIGN_IN_RATE = (env.sign_in_rate, env.sign_in_burst)
TRUSTED_PROXIES = [ip_network(network.strip()) for network in env.trusted_proxies.split(",") if network.strip()]

# The operator's page that makes faults happen, and all that looks for them (queueing/faults).
FAULT_ROOM = env.fault_room or DEBUG

METRICS_TOKEN = env.metrics_token
METRICS_ALLOW = [ip_network(network.strip()) for network in env.metrics_allow.split(",") if network.strip()]

# Spans go there when it is set; the packages of the extra `otel` must be installed then (docs/operations.md).
OTEL_EXPORTER_OTLP_ENDPOINT = env.otel_exporter_otlp_endpoint

LOG_LEVEL = env.log_level
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "plain": {"()": "config.logs.Plain", "fmt": "{levelname:<7} {name}: {message}", "style": "{"},
        "json": {"()": "config.logs.one_object_a_line"},
    },
    "filters": {"outage": {"()": "config.logs.OutageOncePerSecond"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": env.log_format, "filters": ["outage"]}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # A line, or forty of trace, for every forged form, oversized body and odd Host would let whoever sends them
        # fill the disk. Each was refused and told so.
        "django.security": {"level": "CRITICAL"},
        "celery": {"level": "WARNING"},
    },
}
