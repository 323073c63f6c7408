"""The reader of a partition goes on, whatever keeps it from hearing."""

import errno
import selectors
from typing import Any

import pytest

from messages_app.searching import archive, following
from messages_app.searching.following import Reader
from relaycore.following.places import Horizon, Read
from relaycore.layout import Layout
from relaycore.position import START, first_of


class Ear:
    """Hears nothing."""

    wire = None
    has_begun = False
    trouble = ""

    def __init__(self) -> None:
        self.failures: list[str] = []

    def turn(self, now: float) -> None:
        pass

    def hear(self, now: float) -> list[Any]:
        return []

    def fail(self, why: str, now: float) -> None:
        self.failures.append(why)
        self.trouble = why

    def deaf_seconds(self, now: float) -> float:
        return following._DEAF_SECONDS + 1 if self.trouble else 0.0

    def close(self) -> None:
        pass


def full(*_: Any) -> Any:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize("what", ["selector", "turn", "hear"])
def test_what_keeps_it_from_hearing_does_not_end_it(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"channel": "c", "position": first_of("1-0"), "message": "x"}

    def find(read: Read, partition: int, operation_time: str) -> archive.Found:
        return archive.Found([document] if read.after < document["position"] else [])

    monkeypatch.setattr(archive, "look", lambda *_: Horizon(first_of("2-0"), True, "1-0"))
    monkeypatch.setattr(archive, "find", find)
    monkeypatch.setattr(following, "LOOK_SECONDS", 0.01)
    ear: Any = Ear()
    if what == "selector":
        monkeypatch.setattr(selectors, "DefaultSelector", full)
    else:
        monkeypatch.setattr(ear, what, full)
    reader = Reader(0, Layout(1, 1), ear)
    with reader.start("c", START) as feed:
        page = feed.take(3.0)
        assert page is not None
        assert page.messages == [document]
        assert set(ear.failures) == {"OSError: [Errno 24] Too many open files"}
        assert reader.trouble(0.0) == (
            "new messages are seen a second late: OSError: [Errno 24] Too many open files"
        )
    reader.close()
    assert reader.trouble(0.0) == "", "nobody listens"
    assert not reader._thread.is_alive()
