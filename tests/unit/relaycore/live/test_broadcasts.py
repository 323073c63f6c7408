"""By which names channels may go to every socket."""

import re
from pathlib import Path

import pytest

import live
from relaycore.errors import BadBroadcast
from relaycore.live.broadcasts import (
    MOST_CHARACTERS,
    OURS,
    argument,
    check_broadcast,
    check_event,
    goes_to_everybody,
    offset_of,
    place,
)


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


def test_what_somebody_does_with_an_alert_goes_to_nobody_who_knows_of_alerts_alone() -> None:
    for event in ("acknowledge", "release"):
        assert not goes_to_everybody({"alert-id": "0" * 24, "event": event, "rule": "1" * 32})
    told = [None, {}, {"event": "acknowledge"}, {"alert-id": "0" * 24, "event": "open"}, {"event": "close"}]
    assert all(map(goes_to_everybody, told))


def test_every_event_that_pages_are_told_is_reserved() -> None:
    source = "".join(path.read_text() for path in (Path(live.__file__).parent / "socketio").glob("*.py"))
    told = set(re.findall(r'\bevent\("([^"]+)"', source))

    assert told >= {"joined", "left", "closing"}
    assert told <= OURS


PID = "0123456789ab.1.0.0_1732190000000-0000000000-00000"
LATER = "0123456789ab.1.0.0_1732190000009-0000000000-00000"
ELSEWHERE = "ba9876543210.1.0.0_1732190000009-0000000000-00000"


@pytest.mark.parametrize(
    ("pid", "offset", "found"),
    [
        (PID, None, PID),
        (PID, offset_of(LATER), LATER),
        # It was given nothing since the archive was made anew, or divided otherwise.
        (PID, offset_of(ELSEWHERE), PID),
        (PID, offset_of(LATER.replace(".1.", ".2.", 1)), PID),
        # The end of a message to a page that has joined, or of another server's event.
        (PID, LATER, None),
        (PID, "all.nonsense", None),
        (PID, 7, None),
        (None, offset_of(LATER), None),
        ("nonsense", offset_of(LATER), None),
        (["x"], None, None),
    ],
)
def test_where_a_page_had_come_by_what_its_client_says(
    pid: object, offset: object, found: str | None
) -> None:
    place_found = place(pid, offset)
    assert (None if place_found is None else str(place_found)) == found


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("plain", '"plain"'),
        ("NaN", '"NaN"'),
        ('{"a": Infinity}', '"{\\"a\\": Infinity}"'),
        ('{"a"', '"{\\"a\\""'),
        ("[" * 100_000, '"' + "[" * 100_000 + '"'),
        ("\x1e", '"\\u001e"'),
        (b"\xff\x00", '"/wA="'),
        ("", '""'),
    ],
)
def test_what_a_message_is_as_the_one_argument(message: str | bytes, said: str) -> None:
    assert argument(message) == said
