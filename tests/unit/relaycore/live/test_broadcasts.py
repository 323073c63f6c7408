"""By which names channels may go to every socket."""

import re
from pathlib import Path

import pytest

import live
from relaycore.errors import BadBroadcast
from relaycore.live.broadcasts import MOST_CHARACTERS, OURS, check_broadcast, check_event


@pytest.mark.parametrize("name", ["alert", "a", "Alert-1", "site/door:open_1.x", "9", "x" * MOST_CHARACTERS])
def test_what_may_be_an_event(name: str) -> None:
    assert check_broadcast(name, is_public=True) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        *((name, "Socket.IO itself") for name in ("connect", "disconnect", "connect_error", "newListener")),
        *((name, "Relay's own") for name in ("message", "joined", "caught-up", "join")),
        *(
            (name, "letters")
            for name in (" ", "a b", "ä", "*", "-a", 'a"', "a\n", "x" * (MOST_CHARACTERS + 1))
        ),
    ],
)
def test_what_may_not_says_why(name: str, said: str) -> None:
    with pytest.raises(BadBroadcast, match=said):
        check_event(name)


def test_only_what_is_public_goes_to_every_socket() -> None:
    with pytest.raises(BadBroadcast, match="public"):
        check_broadcast("alert", is_public=False)
    assert check_broadcast("", is_public=False) == ""


def test_every_event_that_pages_are_told_is_reserved() -> None:
    source = "".join(path.read_text() for path in (Path(live.__file__).parent / "socketio").glob("*.py"))
    told = set(re.findall(r'\bevent\("([^"]+)"', source))

    assert told >= {"joined", "left", "closing"}
    assert told <= OURS
