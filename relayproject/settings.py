"""Every setting of Relay. Values come from the environment; `docs/settings.md` explains them."""

from pathlib import Path

from relaybase import env, logs, whereabouts
from relaybase.mongo.address import beside
from relaybase.postgres.address import for_django
from relaycore.alerting.labelled import posted
from relaycore.channels import MOST_PARTITIONS

BASE_DIR = Path(__file__).resolve().parent.parent

SERVERS = whereabouts.find()

MOST_SHARDS = 64
"""Each is a process."""

_YEAR = 365 * 86_400.0

# --- Relay ---------------------------------------------------------------------------

RELAY_PARTITIONS = env.whole("RELAY_PARTITIONS", 1, least=1, most=MOST_PARTITIONS)

RELAY_LEASE_TTL_SECONDS = env.seconds("RELAY_LEASE_TTL_SECONDS", 3.0, least=0.5)
RELAY_LEASE_HEARTBEAT_SECONDS = env.seconds("RELAY_LEASE_HEARTBEAT_SECONDS", 1.0, least=0.05)
RELAY_PROPOSE_INTERVAL_SECONDS = env.seconds("RELAY_PROPOSE_INTERVAL_SECONDS", 5.0, least=0.5)

RELAY_LISTENERS_PER_PARTITION = env.whole("RELAY_LISTENERS_PER_PARTITION", 2, least=1, most=8)
RELAY_LISTENER_TICK_SECONDS = env.seconds("RELAY_LISTENER_TICK_SECONDS", 0.1, least=0.01)
RELAY_LISTENER_MEMORY_BYTES = env.whole("RELAY_LISTENER_MEMORY_BYTES", 256 << 20, least=1 << 20, most=1 << 40)
RELAY_LISTENER_LIFE_SECONDS = env.seconds("RELAY_LISTENER_LIFE_SECONDS", 900.0, least=1.0, most=_YEAR)
RELAY_LISTENER_REFRESH_SECONDS = env.seconds("RELAY_LISTENER_REFRESH_SECONDS", 5.0, least=0.1)
RELAY_PUBLISH_MEMORY_BYTES = env.whole("RELAY_PUBLISH_MEMORY_BYTES", 64 << 20, least=1 << 20, most=1 << 40)
RELAY_LIVE_CONNECTIONS = env.whole("RELAY_LIVE_CONNECTIONS", 10_000, least=1, most=1_000_000)
RELAY_LIVE_CONNECTIONS_PER_TOKEN = env.whole(
    "RELAY_LIVE_CONNECTIONS_PER_TOKEN", 5000, least=1, most=1_000_000
)
RELAY_LIVE_ORIGINS = env.listing(
    "RELAY_LIVE_ORIGINS",
    pattern=r"\*|https?://([\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?",
    what="origins such as https://relay.example.org, or *,",
)
RELAY_LIVE_BUFFER_BYTES = env.whole("RELAY_LIVE_BUFFER_BYTES", 1 << 20, least=64 << 10, most=1 << 30)
RELAY_LIVE_RING_BYTES = env.whole("RELAY_LIVE_RING_BYTES", 32 << 20, least=1 << 20, most=1 << 40)
RELAY_LIVE_PAGES_BYTES = env.whole("RELAY_LIVE_PAGES_BYTES", 32 << 20, least=1 << 20, most=1 << 40)

RELAY_PUBLISH_PRODUCER_MESSAGES_PER_SECOND = env.whole(
    "RELAY_PUBLISH_PRODUCER_MESSAGES_PER_SECOND", 0, most=10**9
)
RELAY_PUBLISH_CHANNEL_MESSAGES_PER_SECOND = env.whole(
    "RELAY_PUBLISH_CHANNEL_MESSAGES_PER_SECOND", 0, most=10**9
)

RELAY_FETCH_MEMORY_BYTES = env.whole("RELAY_FETCH_MEMORY_BYTES", 64 << 20, least=1 << 20, most=1 << 40)

RELAY_SENDER_SHARDS = env.whole("RELAY_SENDER_SHARDS", 1, least=1, most=MOST_SHARDS)
RELAY_PROCESSOR_SHARDS = env.whole("RELAY_PROCESSOR_SHARDS", 1, least=1, most=MOST_SHARDS)
RELAY_ATTEMPTS_SECONDS = env.seconds("RELAY_ATTEMPTS_SECONDS", 30 * 86_400.0, least=60.0, most=_YEAR)

RELAY_STREAM_KEEP_SECONDS = env.seconds("RELAY_STREAM_KEEP_SECONDS", 10.0, least=0.0, most=_YEAR)

RELAY_WRITER_BATCH_MESSAGES = env.whole("RELAY_WRITER_BATCH_MESSAGES", 2000, least=1, most=50_000)
RELAY_WRITER_INSERTS_IN_FLIGHT = env.whole("RELAY_WRITER_INSERTS_IN_FLIGHT", 2, least=1, most=16)
RELAY_MONGO_TIMEOUT_SECONDS = env.seconds("RELAY_MONGO_TIMEOUT_SECONDS", 10.0, least=0.1)
RELAY_WEB_MONGO_TIMEOUT_SECONDS = env.seconds("RELAY_WEB_MONGO_TIMEOUT_SECONDS", 2.0, least=0.1)

RELAY_WEB_REQUESTS_PER_MINUTE = env.whole("RELAY_WEB_REQUESTS_PER_MINUTE", 6000, most=10**9)
RELAY_WEB_HOT_REQUESTS_PER_MINUTE = env.whole("RELAY_WEB_HOT_REQUESTS_PER_MINUTE", 0, most=10**9)
RELAY_LOG_QUEUE = env.one_of("RELAY_LOG_QUEUE", "off", ("off", "open", "token"))
RELAY_ALERTS = env.one_of("RELAY_ALERTS", "off", ("off", "true", "open"))
RELAY_ALERTMANAGER = env.one_of("RELAY_ALERTMANAGER", "off", ("off", "open", "token"))
# An alert of Alertmanager's API, however its texts are escaped: it would stop those behind it.
_LEAST_MAX = 1 if RELAY_ALERTMANAGER == "off" else posted.MOST_BYTES
RELAY_MESSAGE_MAX_BYTES = env.whole("RELAY_MESSAGE_MAX_BYTES", 1 << 20, least=_LEAST_MAX, most=15 << 20)
RELAY_ALERTMANAGER_RESOLVE_SECONDS = env.seconds("RELAY_ALERTMANAGER_RESOLVE_SECONDS", 300.0)
RELAY_ALERTMANAGER_GRACE_SECONDS = env.seconds("RELAY_ALERTMANAGER_GRACE_SECONDS", 75.0, least=0.0)
RELAY_TRUSTED_PROXIES = env.networks("RELAY_TRUSTED_PROXIES")
RELAY_ENCRYPTION_KEYS = [key.strip() for key in SERVERS.encryption_keys.split(",") if key.strip()]
RELAY_PUBLIC_URL = env.fitting(
    "RELAY_PUBLIC_URL",
    "",
    r"https?://([\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?",
    "where people reach the site, such as https://relay.example.org, without a path",
).rstrip("/")
RELAY_WEBHOOK_ALLOWED_NETWORKS = env.networks("RELAY_WEBHOOK_ALLOWED_NETWORKS")
RELAY_METRICS_TOKEN = env.fitting(
    "RELAY_METRICS_TOKEN", "", "[!-~]+", "visible ASCII characters without spaces: it stands in a header"
)

# `relayproject.processes` reads these before there are any settings. Here they are only looked at.
RELAY_LISTENER_SLOTS = env.whole(
    "RELAY_LISTENER_SLOTS", RELAY_PARTITIONS * RELAY_LISTENERS_PER_PARTITION, least=1, most=1000
)
RELAY_WEB_HOST = env.fitting("RELAY_WEB_HOST", "127.0.0.1", "[0-9A-Za-z._:%-]+", "an address or a name")
RELAY_WEB_PORT = env.whole("RELAY_WEB_PORT", 8000, most=65_535)

# --- Django --------------------------------------------------------------------------

SECRET_KEY = SERVERS.secret_key
DEBUG = env.flag("RELAY_DEBUG", default=False)
ALLOWED_HOSTS = env.listing(
    "RELAY_ALLOWED_HOSTS",
    "localhost,127.0.0.1,[::1]",
    pattern=r"\*|\.?[\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\]",
    what="host names without a scheme and a port, such as relay.example.org,",
)
CSRF_TRUSTED_ORIGINS = env.listing(
    "RELAY_CSRF_TRUSTED_ORIGINS",
    pattern=r"https?://(\*\.)?([\w-]+(\.[\w-]+)*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?",
    what="origins such as https://relay.example.org,",
)

# Behind a proxy that ends TLS. It must set X-Forwarded-Proto, and nobody else may reach the web process.
RELAY_WEB_HTTPS = env.flag("RELAY_WEB_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = RELAY_WEB_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if RELAY_WEB_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if RELAY_WEB_HTTPS else 0
# Probes and Prometheus come past the proxy.
SECURE_REDIRECT_EXEMPT = [r"^healthz/?$", r"^readyz(/web)?/?$", r"^metrics/?$"]
# Whether other names below this domain can do without plain HTTP, Relay cannot know.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INSTALLED_APPS = [
    "relayproject",  # Before the admin, whose templates it changes.
    "relayproject.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "leases_app",
    "access_app",
    "channels_app",
    "messages_app",
    "events_app",
    "subscribers_app",
    "webhooks_app",
    "alerts_app",
    "compat_app",
]

MIDDLEWARE = [
    "relaybase.logs.GiveRequestId",
    "relaybase.http.forwarded.FindClient",
    "relayproject.observing.http.CountRequests",
    "relaybase.pages.security.ContentSecurityPolicy",
    "django.middleware.security.SecurityMiddleware",
    "relaybase.pages.staticfiles.StaticFilesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",  # Says how long an answer is.
    "relaybase.http.newline.EndLine",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "access_app.actor.RememberRequest",
    "relaybase.http.throttling.TellAllowance",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "relaybase.pages.failures.SayWhatIsWrong",
]

ROOT_URLCONF = "relayproject.urls"
ASGI_APPLICATION = "relayproject.asgi.application"
APPEND_SLASH = False  # The API answers with and without one by itself.

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"relay": "relaybase.pages.filters"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        **for_django(SERVERS.database_url),
        "ENGINE": "relaybase.postgres",
        # They need one connection for all that they ask, which PgBouncer does not promise.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    },
    "messages": {
        "ENGINE": "relaybase.mongo",
        "HOST": SERVERS.mongo_url,
        "NAME": env.fitting(
            "RELAY_MONGO_DATABASE",
            "relay",
            r"[^/\\. \"$*<>:|?]{1,63}",
            'the name of a database: 63 characters at most, without spaces and any of /\\."$*<>:|?',
        ),
        "OPTIONS": {
            **beside(SERVERS.mongo_url, appname="relay-web"),
            # For everything, looking for a server as well: whoever waits for a page is told soon.
            "timeoutMS": int(RELAY_WEB_MONGO_TIMEOUT_SECONDS * 1000),
            "datetime_conversion": "DATETIME_CLAMP",  # As in `relaybase.connections`.
        },
    },
}
DATABASE_ROUTERS = ["relaybase.mongo.router.MessagesRouter", "django_mongodb_backend.routers.MongoRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = ["access_app.guessing.LimitedBackend"]
# The first one makes new hashes; the others read what Django made before, with its own defaults.
PASSWORD_HASHERS = [
    "access_app.hashing.AsideHasher",
    *(
        f"django.contrib.auth.hashers.{name}"
        for name in (
            *("PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher"),
            *("BCryptSHA256PasswordHasher", "ScryptPasswordHasher"),
        )
    ),
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "admin:login"

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
FORMAT_MODULE_PATH = "relayproject.formats"

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # No collectstatic: the files are few, and all from packages.

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "access_app.authentication.BearerAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["access_app.permissions.InScope"],
    "DEFAULT_PARSER_CLASSES": ["relaybase.http.parsers.GuardedJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["relaybase.http.throttling.PerToken"],
    "DEFAULT_SCHEMA_CLASS": "relaybase.http.openapi.Described",
    "EXCEPTION_HANDLER": "relaybase.http.problems.answer",
    "VIEW_DESCRIPTION_FUNCTION": "relaybase.pages.descriptions.described",
}

API_DESCRIPTION = """Relay keeps what is published on Redis Pub/Sub channels, or to it by HTTP.

Every address is answered with and without a slash at its end. Errors are problem details
(RFC 9457). What is left of the requests of this minute stands in the header `RateLimit`.

Not described here are the doors that speak as other products do, each with its own page: Socket.IO at
`/socket.io/`, Alertmanager's API at `/alertmanager/api/v2`, the log queue at `/queue`."""

SPECTACULAR_SETTINGS = {
    "TITLE": "Relay",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "DESCRIPTION": API_DESCRIPTION,
    "PREPROCESSING_HOOKS": ["relaybase.http.openapi.plain_paths"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "alerts_app.taking.schema.describe",
    ],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_PATCH": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "SubscriptionStatus": "channels_app.models.Channel.Status",
        "EndpointState": "webhooks_app.models.Endpoint.State",
        "AlertState": "alerts_app.alerts.STATES",
        "RuleState": "alerts_app.models.Rule.State",
        "RuleKind": "alerts_app.models.Rule.Kind",
    },
}

# --- Celery --------------------------------------------------------------------------

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", SERVERS.redis_url)
CELERY_BROKER = whereabouts.read("CELERY_BROKER_URL", CELERY_BROKER_URL)

# --- Logs ----------------------------------------------------------------------------

# More than requirements.txt: docs/operations.md.
RELAY_OPENTELEMETRY = env.flag("RELAY_OPENTELEMETRY", default=False)
SENTRY_DSN = env.fitting("SENTRY_DSN", "", r"https?://[^@/]+@[^/@]+/\S+", "a DSN: https://KEY@HOST/PROJECT")

RELAY_LOG_FORMAT = env.one_of("RELAY_LOG_FORMAT", "line", ("line", "json"))
RELAY_LOG_LEVEL = env.one_of("RELAY_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))

LOGGING = logs.configuration(RELAY_LOG_FORMAT, RELAY_LOG_LEVEL)
