"""What drivers say of servers, without where those are."""

import pytest

from relaybase.http.unplaced import PLACE, places, without_places

KNOWN = places(
    [
        "postgres://relay:secret@db.inner.example:5432/relay?sslmode=require",
        "redis://:secret@redis:6379/0",
        "mongodb://someone:secret@mongo-0,mongo-1:27018/?replicaSet=rs",
        "postgres://relay@%2Fvar%2Frun%2Fpostgresql/relay",
        "redis://[fd00::1]:6379/0",
    ]
)


def test_places_are_hosts_and_sockets() -> None:
    assert KNOWN == ["/var/run/postgresql", "db.inner.example", "[fd00::1]", "mongo-0", "mongo-1", "redis"]


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (
            'connection to server at "db.inner.example" (10.1.2.3), port 5432 failed: Connection refused',
            f'connection to server at "{PLACE}" ({PLACE}) failed: Connection refused',
        ),
        (
            "Error 111 connecting to redis:6379. Connection refused.",
            f"Error 111 connecting to {PLACE}. Connection refused.",
        ),
        ("mongo-0:27017: [Errno 111], mongo-1:27018: timed out", f"{PLACE}: [Errno 111], {PLACE}: timed out"),
        (
            'FATAL: password authentication failed for user "relay"',
            "FATAL: password authentication failed for user",
        ),
        ('FATAL: database "inner" does not exist', "FATAL: database does not exist"),
        (
            "User relay has no permissions to run the 'get' command",
            "User has no permissions to run the 'get' command",
        ),
        ("('10.1.2.3', 27017) 10.1.2.3:27017", f"('{PLACE}', 27017) {PLACE}"),
        ("Error connecting to [fd00::2]:6379", f"Error connecting to {PLACE}"),
        (
            'connection to server on socket "/var/run/postgresql/.s.PGSQL.5432"',
            f'connection to server on socket "{PLACE}/.s.PGSQL.5432"',
        ),
    ],
)
def test_an_address_is_left_out(said: str, left: str) -> None:
    assert without_places(said, KNOWN) == left


@pytest.mark.parametrize(
    "said",
    [
        "Redis takes nothing (OOM): not stored.",
        "pymongo 4.18.1 is too old; redis-py is not.",
        "hears nothing since 2026-11-27T11:10:02Z, 3 channels of 1.2 million",
    ],
)
def test_what_is_no_address_stays(said: str) -> None:
    assert without_places(said, KNOWN) == said
