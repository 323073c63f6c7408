"""Each variable of docs/settings.md: what cannot be used ends the start with one sentence that names it."""

import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from relaybase.env import WrongSetting
from relayproject.management.commands.ensure_operator import asked

ROOT: Final = Path(__file__).parents[2]
DOCUMENT: Final = (ROOT / "docs/settings.md").read_text()

GIVEN: Final = {
    "DATABASE_URL": "postgres://user:s3cret@db/relay",
    "REDIS_URL": "redis://:s3cret@redis/0",
    "MONGO_URL": "mongodb://user:s3cret@mongo",
    "RELAY_SECRET_KEY": "s3cret" * 10,
}
"""What has no default."""

NUMBERS: Final = ("0.5x", "many", "-1", "1e999", "9" * 5000)
FLAGS: Final = ("maybe", "2", " true")

REFUSED: Final[Mapping[str, tuple[str, ...]]] = {
    "DATABASE_URL": (
        *("localhost:5432", "mysql://db/relay", "postgres://", "postgres://db", "postgres://db:port/relay"),
        *(
            "postgres://db:65536/relay",
            "postgres://db/relay?sslmode=maybe",
            "postgres://db/relay?sslmod=require",
        ),
        *("postgres://u:s3cret@db/relay?connect_timeout=soon", "postgres:///relay?service=nowhere"),
        "postgres://u:s3cret@db/relay?sslmode=verify-full&sslrootcert=/nowhere",
        "postgres://u:s3cret@db/relay?gssencmode=x&target_session_attrs=y",
        "postgres://u:s3cret@db/%zz",
    ),
    "REDIS_URL": (
        *("localhost:6379", "http://redis", "redis://redis:port/0", "redis://redis:65536/0", "redis:redis"),
        *("redis://redis/zero", "redis://redis/0/1", "redis://redis/?db=zero", "redis://redis/?db="),
        *("redis://redis/0?retry=3", "redis://redis/0?retry_on_timeout=1", "redis://redis/0?unheard_of=1"),
        *("redis://redis/0?decode_responses=true", "redis://redis/0?connection_class=x", "unix://"),
        *("redis://redis/0?socket_timeout=soon", "redis://redis/0?ssl_cert_reqs=none"),
        *("rediss://redis/0?ssl_ca_certs=/nowhere", "rediss://redis/0?ssl_cert_reqs=perhaps"),
        *("rediss://redis/0?ssl_min_version=1.2", "redis://:s3cret/@redis:6379/0"),
    ),
    "MONGO_URL": (
        *("localhost:27017", "http://mongo", "mongodb://", "mongodb://mongo:port", "mongodb://mongo:65536"),
        *("mongodb://u:s3/cret@mongo", "mongodb://mongo/?unheardOf=1", "mongodb://mongo/?tlsCAFile=/nowhere"),
        *("mongodb://mongo/?w=1", "mongodb://mongo/?journal=false", "mongodb://mongo/?retryWrites=false"),
        *(
            "mongodb://mongo/?timeoutMS=5",
            "mongodb://mongo/?maxPoolSize=many",
            "mongodb://mongo/?tls=perhaps",
        ),
        *("mongodb://mongo/?ssl=true&tls=false", "mongodb://a,b/?directConnection=true"),
        *("mongodb+srv://mongo.example.org:27017", "mongodb+srv://a.example.org,b.example.org"),
        *("mongodb+srv://a.example.org/?directConnection=true", "mongodb://mongo/?srvMaxHosts=2"),
    ),
    "RELAY_MONGO_DATABASE": ("two words", "a/b", "a.b", "$a", "x" * 64),
    "CELERY_BROKER_URL": (
        *("localhost:5672", "rabbitmq", "memory://", "sqs://", "amqp://", "amqp://mq:port//"),
        *("amqp://mq//?unheard_of=1", "amqp://mq//?heartbeat=soon", "amqp://a//;redis://b"),
        *("redis://redis/0?retry=3", "redis://redis/zero", "redis+socket:///tmp/redis.sock"),
    ),
    "RELAY_PARTITIONS": (*NUMBERS, "0", "1.5", "100000"),
    "RELAY_LISTENERS_PER_PARTITION": (*NUMBERS, "0", "9"),
    "RELAY_LISTENER_SLOTS": (*NUMBERS, "0"),
    "RELAY_ATTEMPTS_SECONDS": (*NUMBERS, "0", "59", "30d", "inf"),
    "RELAY_SENDER_SHARDS": (*NUMBERS, "0", "1.5", "65"),
    "RELAY_PROCESSOR_SHARDS": (*NUMBERS, "0", "1.5", "65"),
    "RELAY_LISTENER_TICK_SECONDS": (*NUMBERS, "0", "nan"),
    "RELAY_LISTENER_MEMORY_BYTES": (*NUMBERS, "256MB"),
    "RELAY_LISTENER_LIFE_SECONDS": (*NUMBERS, "0", "15m", "inf"),
    "RELAY_LISTENER_REFRESH_SECONDS": (*NUMBERS, "0"),
    "RELAY_MESSAGE_MAX_BYTES": (*NUMBERS, "0", str(16 << 20)),
    "RELAY_STREAM_KEEP_SECONDS": (*NUMBERS, "1e300"),
    "RELAY_WRITER_BATCH_MESSAGES": (*NUMBERS, "0"),
    "RELAY_WRITER_INSERTS_IN_FLIGHT": (*NUMBERS, "0"),
    "RELAY_MONGO_TIMEOUT_SECONDS": (*NUMBERS, "0", "1e300"),
    "RELAY_LEASE_TTL_SECONDS": (*NUMBERS, "0"),
    "RELAY_LEASE_HEARTBEAT_SECONDS": (*NUMBERS, "0"),
    "RELAY_PROPOSE_INTERVAL_SECONDS": (*NUMBERS, "0"),
    "RELAY_SECRET_KEY": (),
    "RELAY_ENCRYPTION_KEYS": (
        "s3cret",
        "CHANGE-ME",
        f"{'s3c' * 14}x=,",
        f"{'a' * 43}= {'b' * 43}=",
        "a" * 44,
    ),
    "RELAY_PUBLIC_URL": (
        *("relay.example.org", "https://relay.example.org/app", "ftp://relay", "https://u:s3cret@relay"),
        *("https://", "https://relay.example.org?x=1", "https://two words"),
    ),
    "RELAY_ALLOWED_HOSTS": (",", "https://relay.example.org", "relay.example.org:8000", "a b", "a/b"),
    "RELAY_LIVE_ORIGINS": (
        ",",
        "relay.example.org",
        "https://relay.example.org/app",
        "https://*.example.org",
    ),
    "RELAY_CSRF_TRUSTED_ORIGINS": (",", "relay.example.org", "https://relay.example.org/admin", "ftp://a"),
    "RELAY_TRUSTED_PROXIES": (",", "proxy", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8 10.1.0.0/16", "::/129"),
    "RELAY_WEBHOOK_ALLOWED_NETWORKS": (
        *(",", "inside", "*", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/8 10.1.0.0/16", "fe80::/10%eth0"),
        *("fe80::%eth0/64", "fe80::1%eth0", "::ffff:10.0.0.0/104", "::ffff:10.0.0.1"),
    ),
    "RELAY_WEB_HOST": ("http://localhost", "two words", "a/b"),
    "RELAY_WEB_PORT": ("http", "65536", "-1", "80.0"),
    "RELAY_WEB_MONGO_TIMEOUT_SECONDS": (*NUMBERS, "0"),
    "RELAY_WEB_REQUESTS_PER_MINUTE": (*NUMBERS, "1.5"),
    "RELAY_WEB_HOT_REQUESTS_PER_MINUTE": (*NUMBERS, "1.5"),
    "RELAY_PUBLISH_MEMORY_BYTES": (*NUMBERS, "0", "64MB"),
    "RELAY_FETCH_MEMORY_BYTES": (*NUMBERS, "0", "64MB"),
    "RELAY_LIVE_CONNECTIONS": (*NUMBERS, "0"),
    "RELAY_LIVE_CONNECTIONS_PER_TOKEN": (*NUMBERS, "0"),
    "RELAY_LIVE_BUFFER_BYTES": (*NUMBERS, "0", "1MB"),
    "RELAY_LIVE_RING_BYTES": (*NUMBERS, "0", "32MB"),
    "RELAY_LIVE_PAGES_BYTES": (*NUMBERS, "0", "32MB"),
    "RELAY_PUBLISH_PRODUCER_MESSAGES_PER_SECOND": (*NUMBERS, "1.5"),
    "RELAY_PUBLISH_CHANNEL_MESSAGES_PER_SECOND": (*NUMBERS, "1.5"),
    "RELAY_METRICS_TOKEN": ("two s3cret words", "s3crét"),
    "RELAY_DEBUG": FLAGS,
    "RELAY_WEB_HTTPS": FLAGS,
    "RELAY_LOG_FORMAT": ("xml", "json,line"),
    "RELAY_LOG_LEVEL": ("verbose", "10", "INFO,DEBUG"),
    "RELAY_ALERTMANAGER": ("on", "true", "open,token"),
    "RELAY_ALERTMANAGER_RESOLVE_SECONDS": ("0", "soon"),
    "RELAY_ALERTMANAGER_GRACE_SECONDS": ("-1", "soon"),
    "RELAY_ALERTS": ("on", "1", "token", "true,open"),
    "RELAY_LOG_QUEUE": ("on", "true", "open,token"),
    "RELAY_OPENTELEMETRY": FLAGS,
    "SENTRY_DSN": ("sentry", "https://sentry.example.org/1", "https://s3cret@sentry.example.org"),
    "RELAY_DATA_DIR": (__file__,),
    "RELAY_OPERATOR_USER": ("x" * 56, "two\nlines"),
    "RELAY_OPERATOR_PASSWORD": (),
    "RELAY_OPERATOR_TOKEN": ("s3cret", "two words of s3cret and more"),
}
"""By variable, values that it may not have."""

NAME: Final = r"(?:RELAY|CELERY|SENTRY)_[A-Z_]+|[A-Z]+_URL"
EXPLAINED: Final = re.findall(rf"^\| (?:`(?:{NAME})`(?:, )?)+[^|]*", DOCUMENT, re.M)
VARIABLES: Final = {name for cell in EXPLAINED for name in re.findall(NAME, cell)}
FROM_FILES: Final = sorted(
    name for cell in EXPLAINED if cell.rstrip().endswith("*") for name in re.findall(NAME, cell)
)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nothing but what has no default."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RELAY_DATA_DIR", str(tmp_path))
    return monkeypatch


def read() -> dict[str, Any]:
    """What a start makes of the environment."""
    found = runpy.run_path(str(ROOT / "relayproject/settings.py"))
    return {name: value for name, value in found.items() if name.isupper()} | {"OPERATOR": asked()}


def test_the_table_has_every_variable() -> None:
    assert set(REFUSED) == VARIABLES
    assert {"DATABASE_URL", "RELAY_SECRET_KEY", "RELAY_OPERATOR_TOKEN"} < set(FROM_FILES)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in REFUSED.items() for value in values],
    ids=lambda text: text[:50],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(
    surroundings: pytest.MonkeyPatch, name: str, value: str
) -> None:
    surroundings.setenv(name, value)
    with pytest.raises(WrongSetting) as caught:
        read()
    sentence = str(caught.value)
    assert re.match(rf"{name} (must|has|is) ", sentence)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert "s3c" not in sentence


def test_with_alertmanagers_api_its_largest_alert_has_to_be_stored(surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("RELAY_MESSAGE_MAX_BYTES", "100000")
    assert read()["RELAY_MESSAGE_MAX_BYTES"] == 100_000
    surroundings.setenv("RELAY_ALERTMANAGER", "open")
    with pytest.raises(WrongSetting, match=r"^RELAY_MESSAGE_MAX_BYTES must be a whole number from 524288"):
        read()


@pytest.mark.parametrize("name", FROM_FILES)
def test_a_file_that_is_missing_is_refused_in_one_sentence(
    surroundings: pytest.MonkeyPatch, name: str
) -> None:
    surroundings.delenv(name, raising=False)
    surroundings.setenv(f"{name}_FILE", "/nowhere")
    with pytest.raises(WrongSetting, match=rf"^{name}_FILE: /nowhere cannot be read: [^\n]*\.$"):
        read()


@pytest.mark.parametrize("name", sorted(VARIABLES - set(GIVEN) - {"RELAY_DATA_DIR"}))
def test_an_empty_value_is_an_unset_one(surroundings: pytest.MonkeyPatch, name: str) -> None:
    unset = read()
    surroundings.setenv(name, "")
    surroundings.setenv(f"{name}_FILE", "")
    assert read() == unset


@pytest.mark.parametrize("name", sorted(GIVEN))
@pytest.mark.parametrize("value", [None, ""])
def test_what_has_no_default_must_be_set(
    surroundings: pytest.MonkeyPatch, name: str, value: str | None
) -> None:
    if value is None:
        surroundings.delenv(name)
    else:
        surroundings.setenv(name, value)
    with pytest.raises(WrongSetting, match=f"^{name} must be set"):
        read()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://u:p%40w@a:5432,b:5433/relay?target_session_attrs=read-write"),
        ("DATABASE_URL", "postgres://u:p@ss%w@db/relay?sslmode=require"),
        ("DATABASE_URL", "postgres:///relay?host=/run/postgresql&application_name=relay"),
        ("REDIS_URL", "unix:///run/redis.sock?db=2"),
        ("REDIS_URL", "redis://redis"),
        ("REDIS_URL", "rediss://user:p%40@[::1]:6380/3?ssl_check_hostname=false&ssl_min_version=771"),
        ("MONGO_URL", "mongodb+srv://u:p@a.b.mongodb.net/?retryWrites=true&w=majority&appName=Cluster0"),
        ("MONGO_URL", "mongodb://u:p@a,b:27018/admin?replicaSet=rs0&tls=true&readPreference=secondary"),
        ("MONGO_URL", "mongodb://%2Frun%2Fmongodb.sock"),
        ("CELERY_BROKER_URL", "amqp://guest:guest@a:5672//;amqp://b//?heartbeat=10"),
        ("CELERY_BROKER_URL", "unix:///run/redis.sock"),
        ("RELAY_ALLOWED_HOSTS", "*"),
        ("RELAY_ALLOWED_HOSTS", ".example.org, relay, [::1]"),
        ("RELAY_CSRF_TRUSTED_ORIGINS", "https://*.example.org,http://localhost:8080"),
        ("RELAY_WEBHOOK_ALLOWED_NETWORKS", "10.1.0.0/16, fd00:1::/32,192.168.7.7"),
        ("RELAY_LOG_LEVEL", "warning"),
        ("SENTRY_DSN", "https://key@o1.ingest.sentry.io/4"),
    ],
)
def test_what_can_be_used_is_read(surroundings: pytest.MonkeyPatch, name: str, value: str) -> None:
    surroundings.setenv(name, value)
    read()
