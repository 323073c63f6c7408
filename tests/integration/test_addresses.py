"""What stands in the URLs of the servers is honoured, on real servers: TLS, sockets, names in the DNS."""

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dns.message
import dns.resolver
import dns.rrset
import pytest
from django.db import OperationalError, connections
from kombu.connection import Connection
from kombu.exceptions import KombuError

from relaybase.connections import _mongo_client, mongo_collection, open_wire, redis_client
from relaybase.postgres.address import for_django
from relaybase.postgres.base import DatabaseWrapper
from relaybase.redis import broker
from relaybase.redis.primary import BrokerConnection
from relayproject.celery import app
from relaystack.servers.valkey import Valkey
from tests import tls
from tests.chaos.servers import OwnServer
from tests.proxy import Proxy

Ask = Callable[[str, str], Any]

NAME = "relay.test.example"
AT_ONCE = "&sslnegotiation=direct"
"""TLS from the first byte, as the proxy has it. PostgreSQL's own way begins in plain text."""


@pytest.fixture
def ask(settings: Any) -> Iterator[Ask]:
    """Ask the PostgreSQL of this URL, on a connection as Django makes it from the settings."""
    made: list[DatabaseWrapper] = []

    def once(url: str, question: str) -> Any:
        wrapper = DatabaseWrapper({**connections["default"].settings_dict, **for_django(url)}, "default")
        made.append(wrapper)
        with wrapper.cursor() as cursor:
            cursor.execute(question)
            return cursor.fetchone()[0]

    yield once
    for wrapper in made:
        wrapper.close()


@pytest.mark.django_db
class TestPostgreSQL:
    def test_a_server_without_tls_is_refused_where_tls_is_asked_for(self, ask: Ask, settings: Any) -> None:
        url = settings.SERVERS.database_url
        assert ask(url, "SELECT 1") == 1
        for mode in ("require", "verify-ca", "verify-full"):
            with pytest.raises(OperationalError, match=r"SSL|certificate"):
                ask(f"{url}?sslmode={mode}", "SELECT 1")

    def test_the_authority_that_is_named_is_the_one_that_counts(self, ask: Ask, settings: Any) -> None:
        with Proxy.to(settings.SERVERS.database_url, encrypted=True) as proxy:
            place = urlsplit(settings.SERVERS.database_url)
            user = place.netloc.rpartition("@")[0]
            url = f"postgres://{user}@127.0.0.1:{proxy.port}{place.path}?sslmode=verify-full"
            assert ask(f"{url}&sslrootcert={tls.AUTHORITY}{AT_ONCE}", "SELECT 1") == 1
            with pytest.raises(OperationalError, match="certificate verify failed"):
                ask(f"{url}&sslrootcert=system{AT_ONCE}", "SELECT 1")

    def test_options_reach_the_server(self, ask: Ask, settings: Any) -> None:
        url = f"{settings.SERVERS.database_url}?application_name=by%20url&options=-c%20lock_timeout%3D7s"
        assert ask(url, "SHOW application_name") == "by url"
        assert ask(url, "SHOW lock_timeout") == "7s"

    def test_a_statement_has_15_s_if_the_url_does_not_say_otherwise(self, ask: Ask, settings: Any) -> None:
        url = settings.SERVERS.database_url
        assert ask(url, "SHOW statement_timeout") == "15s"
        assert ask(f"{url}?options=-c%20statement_timeout%3D1min", "SHOW statement_timeout") == "1min"


@pytest.fixture
def redis_at(settings: Any) -> Callable[[str], None]:
    """Relay's Redis is at this URL from now on."""

    def move(url: str) -> None:
        settings.SERVERS = replace(settings.SERVERS, redis_url=url)
        settings.CELERY_BROKER_URL = url

    return move


def put_into_queue(url: str) -> None:
    """As Celery does it, with the settings that it gets."""
    configuration = broker.celery_settings(url)
    with Connection(
        configuration["broker_url"],
        ssl=configuration.get("broker_use_ssl", False),
        transport_options=configuration["broker_transport_options"],
    ) as connection:
        connection.ensure_connection(max_retries=0, timeout=5)
        with connection.SimpleQueue("addresses") as queue:
            queue.put("here")


class TestRedis:
    def test_a_socket_serves_relay_and_its_broker(
        self, tmp_path: Path, redis_at: Callable[[str], None]
    ) -> None:
        # A short path: one of more than 107 bytes cannot be a socket.
        server = OwnServer(Valkey, tmp_path / "redis", "--unixsocket", str(path := tmp_path / "redis" / "s"))
        try:
            redis_at(url := f"unix://{path}?db=3")
            with redis_client() as client:
                client.set("here", 1)
            open_wire("test").close()
            put_into_queue(url)
            with server.redis() as direct:
                direct.select(3)
                assert set(direct.keys("*")) >= {b"here", b"addresses"}
        finally:
            server.stop()

    def test_over_tls_the_broker_sees_whose_certificate_it_is(self, settings: Any, relay_keys: Any) -> None:
        with Proxy.to(settings.SERVERS.redis_url, encrypted=True) as proxy:
            url = f"rediss://127.0.0.1:{proxy.port}/0"
            put_into_queue(
                f"{url}?ssl_ca_certs={tls.AUTHORITY}&ssl_min_version={int(ssl.TLSVersion.TLSv1_2)}"
            )
            relay_keys.delete("addresses")
            with pytest.raises(KombuError, match="certificate verify failed"):
                put_into_queue(url)

    def test_celery_has_what_the_url_says(self, settings: Any) -> None:
        assert app.conf.broker_url == settings.CELERY_BROKER["broker_url"]
        assert app.conf.broker_transport_options["visibility_timeout"] == 3600
        assert issubclass(app.connection().channel().connection_class, BrokerConnection)


class _Names(socketserver.BaseRequestHandler):
    """Answers each question for a server of MongoDB: at `port` of this machine."""

    port = 0

    def handle(self) -> None:
        data, own = self.request
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        [question] = query.question
        if question.rdtype == dns.rdatatype.SRV:
            text = f"0 0 {self.port} mongo.{NAME}."
            answer.answer.append(dns.rrset.from_text(question.name, 1, "IN", "SRV", text))
        own.sendto(answer.to_wire(), self.client_address)


@pytest.fixture
def names(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A DNS that knows `NAME` to be the MongoDB of this test run."""
    port = urlsplit(settings.SERVERS.mongo_url).port
    monkeypatch.setattr(_Names, "port", port)
    resolver = dns.resolver.Resolver(configure=False)
    resolve = socket.getaddrinfo

    def local(host: Any, *more: Any, **options: Any) -> Any:
        return resolve("127.0.0.1" if str(host).endswith(NAME) else host, *more, **options)

    with socketserver.UDPServer(("127.0.0.1", 0), _Names) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.server_address[1]
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        monkeypatch.setattr(socket, "getaddrinfo", local)
        yield
        server.shutdown()


@pytest.mark.usefixtures("names")
def test_mongodb_may_be_named_by_the_dns(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    login = urlsplit(settings.SERVERS.mongo_url).netloc.rpartition("@")
    url = f"mongodb+srv://{''.join(login[:2])}{NAME}/?tls=false&appName=by-url&authSource=admin"
    settings.SERVERS = replace(settings.SERVERS, mongo_url=url)

    with _mongo_client.__wrapped__() as client:
        monkeypatch.setattr("relaybase.connections._mongo_client", lambda: client)
        assert mongo_collection("addresses").database.command("ping")["ok"] == 1
        assert client.options.pool_options.appname == "by-url"
