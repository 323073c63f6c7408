"""What keeps an ear from hearing is told once, and for how long."""

from collections.abc import Sequence
from typing import Any

import hiredis
import pytest

from messages_app.searching import ear as ears
from messages_app.searching.ear import Ear
from relaycore.errors import Disconnected

SUBSCRIBED = [b"subscribe", b"news", 1]
STRANGE = [b"message", b"news", b"not sealed"]


class Wire:
    """Brings what it is given to bring, or breaks."""

    def __init__(self) -> None:
        self.brings: list[Any] = []
        self.is_broken = False

    def send(self, *_: Any) -> None:
        self._require()

    def receive(self) -> Sequence[Any]:
        self._require()
        found, self.brings = self.brings, []
        return found

    def close(self) -> None:
        pass

    def _require(self) -> None:
        if self.is_broken:
            raise Disconnected("broken off")


class Redis:
    """Answers with the wires that it is given; with none it is away."""

    def __init__(self) -> None:
        self.wire: Wire | None = None

    def open(self, _: str) -> Wire:
        if self.wire is None:
            raise Disconnected("away")
        return self.wire


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> Redis:
    found = Redis()
    monkeypatch.setattr(ears, "open_wire", found.open)
    return found


def turns(ear: Ear, *seconds: float) -> None:
    for now in seconds:
        ear.turn(now)
        ear.hear(now)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


def test_nothing_is_known_to_be_heard_before_redis_has_said_so(redis: Redis) -> None:
    ear = Ear("news", b"key")
    assert (ear.trouble, ear.deaf_seconds(5.0)) == (ears._NOT_YET, 0.0)
    redis.wire = Wire()
    turns(ear, 10.0)
    assert (ear.trouble, ear.deaf_seconds(13.0)) == (ears._NOT_YET, 3.0)
    redis.wire.brings = [SUBSCRIBED]
    turns(ear, 14.0)
    assert (ear.trouble, ear.deaf_seconds(20.0)) == ("", 0.0)


def test_what_stays_broken_is_told_once_and_so_is_its_end(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    ear = Ear("news", b"key")
    turns(ear, *range(20))
    (told,) = warnings(caplog)
    assert told == "news: nothing is heard: away. New messages are seen a second late."
    assert (ear.trouble, ear.deaf_seconds(20.0)) == ("away", 20.0)
    redis.wire = Wire()
    redis.wire.brings = [SUBSCRIBED]
    turns(ear, 20.0)
    assert warnings(caplog)[1:] == ["news: it is heard again"]
    assert not ear.trouble


def test_a_connection_that_ends_counts_from_then_on(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear("news", b"key")
    redis.wire = Wire()
    redis.wire.brings = [SUBSCRIBED]
    turns(ear, 0.0)
    redis.wire.is_broken = True
    turns(ear, 3.0, 4.5, 6.0)
    assert (ear.trouble, ear.deaf_seconds(7.0)) == ("broken off", 4.0)
    assert len(warnings(caplog)) == 1


def test_whoever_may_not_subscribe_is_told_why_once(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear("news", b"key")
    redis.wire = Wire()
    for now in (0.0, 40.0, 80.0):
        redis.wire.brings = [hiredis.ReplyError("NOPERM")]
        turns(ear, now)
    assert ear.trouble == "NOPERM"
    assert len(warnings(caplog)) == 1


def test_what_fails_beside_the_connection_is_over_once_something_is_heard(redis: Redis) -> None:
    ear = Ear("news", b"key")
    redis.wire = Wire()
    redis.wire.brings = [SUBSCRIBED]
    turns(ear, 0.0)
    ear.fail("no file left to open", 1.0)
    turns(ear, 2.0)
    assert ear.trouble
    redis.wire.brings = [STRANGE]
    turns(ear, 3.0)
    assert not ear.trouble
