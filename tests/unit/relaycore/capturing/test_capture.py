"""What one connection hears, turned into envelopes."""

from collections.abc import Iterable, Sequence
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore import envelope
from relaycore.capturing import capture as module
from relaycore.capturing import notices
from relaycore.capturing.capture import (
    REFUSAL,
    Capture,
    Controlled,
    Event,
    Heard,
    Push,
    Refused,
    Subscribed,
    Ticked,
    Unsubscribed,
)
from relaycore.capturing.notices import Look
from relaycore.capturing.policies import Changes
from relaycore.capturing.ticks import Tick, pack, seal
from relaycore.envelope import split, timestamp
from relaycore.identity import Clock, make_key
from relaycore.policy import CONTENT, EVERY, Policy
from relaycore.position import MAX_MESSAGES_PER_ENTRY

TICKS, CONTROL = b"__relay:own:{0}:tick", b"__relay:own:{0}:control"
KEY = b"key"
NOW_MS = 1_732_190_000_000
POLICIES = {b"content": CONTENT, b"every": EVERY, b"field": Policy("field", "id")}


def message(payload: bytes, channel: bytes = b"every") -> Push:
    return [b"message", channel, payload]


def tick(number: int, run_id: str = "run", changes: Changes = ()) -> Push:
    body = b"%d 1 0 leading 5 6 %s %s" % (number, run_id.encode(), pack(changes))
    return [b"message", TICKS, body + b" " + seal(body, KEY)]


def a_capture(
    policies: dict[bytes, Policy] = POLICIES, connection: bytes = b"one", most: int = 100
) -> Capture:
    capture = Capture(TICKS, CONTROL, KEY, most)
    capture.begin(connection)
    capture.locate(0, policies, 0)
    for channel in policies:
        capture.want(channel)
    return capture


def documents_of(heard: Heard) -> list[bytes]:
    return [document for piece in heard.pieces for document in piece.documents]


def hear(capture: Capture, *pushes: Push) -> list[bytes]:
    return documents_of(capture.hear(pushes, NOW_MS))


def ids(capture: Capture, *pushes: Push) -> list[bytes]:
    return [envelope.key_of(document) for document in hear(capture, *pushes)]


# --- what is heard -----------------------------------------------------------------------


def test_a_message_on_a_wanted_channel_becomes_a_document() -> None:
    (piece,) = a_capture().hear([message(b"hello", b"content")], NOW_MS).pieces

    (document,) = piece.documents
    read = bson.decode(document)
    assert (read["channel"], read["message"]) == ("content", "hello")
    assert timestamp(NOW_MS) in document
    assert read["_id"].binary == make_key(CONTENT, b"content", Clock(b""))(b"hello")
    assert (piece.size, piece.reason, piece.mark) == (len(document), "", None)


def test_an_empty_read_brings_nothing() -> None:
    assert a_capture().hear([], NOW_MS) == Heard()


def test_what_comes_on_a_channel_that_nobody_asked_for_is_let_go() -> None:
    capture = a_capture()
    assert hear(capture, message(b"hello", b"other"), message(b"hello", b"")) == []
    capture.let_go(b"content")
    assert hear(capture, message(b"hello", b"content")) == []
    capture.let_go(b"content")  # twice does no harm
    capture.want(b"content")
    assert len(hear(capture, message(b"hello", b"content"))) == 1


def test_everything_else_is_an_event_in_order() -> None:
    heard = a_capture().hear(
        [
            [b"subscribe", b"a", 1],
            tick(7),
            message(b"hello"),
            [b"message", CONTROL, notices.look("orders", KEY)],
            [b"unsubscribe", b"a", 0],
            tick(8),
        ],
        NOW_MS,
    )
    assert heard.events == [
        Subscribed(b"a"),
        Ticked(Tick(7, 1, 0, "run", "leading", 5, 6)),
        Controlled(Look("orders")),
        Unsubscribed(b"a"),
        Ticked(Tick(8, 1, 0, "run", "leading", 5, 6)),
    ]
    assert len(documents_of(heard)) == 1


@pytest.mark.parametrize(
    "push",
    [
        [b"message", TICKS, b"not a tick"],
        [b"message", CONTROL, b"orders"],
        [b"message", CONTROL, notices.look("orders", b"another key")],
        [b"unsubscribe", None, 0],  # the answer to UNSUBSCRIBE where nothing is subscribed
        [b"psubscribe", b"a*", 1],
        [b"smessage", b"content", b"hello"],
        [b"pong", b"", b""],
    ],
    ids=lambda push: repr(push[0]),
)
def test_what_means_nothing_is_no_event_and_no_message(push: Push) -> None:
    assert a_capture().hear([push], NOW_MS) == Heard()


def test_a_wanted_channel_that_is_confirmed_is_an_event_and_no_message() -> None:
    heard = a_capture().hear([[b"subscribe", b"content", 1], [b"unsubscribe", b"content", 0]], NOW_MS)
    assert heard == Heard(events=[Subscribed(b"content"), Unsubscribed(b"content")])


def test_a_policy_begins_at_the_tick_that_announces_it_and_not_before() -> None:
    capture, field = a_capture({b"c": CONTENT}), Policy("field", "id")
    push = message(b'{"id":1}', b"c")
    capture.want(b"c")
    before, after = ids(capture, push, tick(1, changes=((b"c", field),)), push)
    assert before == make_key(CONTENT, b"c", Clock(b""))(b'{"id":1}')
    assert after == make_key(field, b"c", Clock(b""))(b'{"id":1}')


def test_a_policy_that_was_announced_before_the_channel_was_wanted_holds_for_it() -> None:
    capture = a_capture({})
    hear(capture, tick(1, changes=((b"c", EVERY),)), tick(2))
    capture.want(b"c")
    assert len(set(ids(capture, message(b"x", b"c"), message(b"x", b"c")))) == 2


def test_from_its_tick_on_every_names_the_tick_since_it_is_heard_from_its_beginning() -> None:
    """So what follows it is not left out at a take-over, and all listeners give it the same name."""
    one, other = (a_capture({b"c": CONTENT}, connection) for connection in (b"one", b"other"))
    pushes = [tick(1, changes=((b"c", EVERY),)), message(b"x", b"c")]
    assert ids(one, *pushes) == ids(other, *pushes)
    assert one.hear([message(b"x", b"c")], NOW_MS, shared=True).left_out == 0


def test_what_a_tick_says_of_a_channel_that_has_this_policy_already_disturbs_no_counting() -> None:
    one, other = a_capture(), a_capture()
    hear(one, tick(1), message(b"x"), tick(2, changes=((b"every", EVERY),)), message(b"x"))
    hear(other, tick(1), message(b"x"), tick(2), message(b"x"))
    assert ids(one, message(b"x")) == ids(other, message(b"x"))


def test_ticks_that_were_passed_over_have_changed_policies_all_the_same() -> None:
    capture = a_capture({b"c": CONTENT})
    capture.pass_over(7, [Tick(6, 1, 0, "run", changes=((b"c", EVERY),))])
    capture.begin(b"one")
    assert len(set(ids(capture, message(b"x", b"c"), message(b"x", b"c")))) == 2
    assert capture.read(tick(7)) is None, "it lies behind"
    assert capture.read(tick(8)) is not None


# --- ticks that somebody publishes again -------------------------------------------------


def test_a_tick_that_was_published_again_is_nothing_and_begins_nothing() -> None:
    one, other = a_capture(), a_capture()
    pushes = [tick(1), tick(2), message(b"x")]
    assert one.hear([*pushes, tick(2), tick(1)], NOW_MS).events == other.hear(pushes, NOW_MS).events
    assert ids(one, message(b"x")) == ids(other, message(b"x"))


def test_a_policy_that_was_published_again_does_not_come_back() -> None:
    capture = a_capture({b"c": CONTENT})
    once = tick(1, changes=((b"c", EVERY),))
    hear(capture, once, tick(2, changes=((b"c", CONTENT),)), once)
    assert len(set(ids(capture, message(b"x", b"c"), message(b"x", b"c")))) == 1


def test_a_connection_is_told_which_ticks_are_no_news_to_it() -> None:
    capture = a_capture()
    capture.locate(7, POLICIES, 0)
    assert capture.read(tick(7)) is None
    assert capture.read(tick(7), anew=True) == Ticked(Tick(7, 1, 0, "run", "leading", 5, 6))
    assert capture.read(tick(8)) is not None


def test_a_refusal_is_an_event() -> None:
    assert a_capture().hear([[REFUSAL, b"", "NOPERM"]], NOW_MS) == Heard(events=[Refused("NOPERM")])


# --- pieces ------------------------------------------------------------------------------


def test_a_message_that_is_too_large_is_an_entry_of_its_own_with_the_reason() -> None:
    pushes = [message(b"a"), message(b"x" * 100), message(b"y" * 101), message(b"b"), message(b"z" * 200)]

    pieces = a_capture().hear(pushes, NOW_MS).pieces

    read = [[bson.decode(document)["message"] for document in piece.documents] for piece in pieces]
    assert read == [["a", "x" * 100], ["y" * 101], ["b"], ["z" * 200]]
    assert [piece.reason for piece in pieces] == [
        "",
        "101 bytes, and at most 100 are stored (RELAY_MESSAGE_MAX_BYTES)",
        "",
        "200 bytes, and at most 100 are stored (RELAY_MESSAGE_MAX_BYTES)",
    ]
    assert [piece.is_full for piece in pieces] == [False, True, False, True]


def test_a_message_that_is_too_large_counts_like_any_other() -> None:
    capture = a_capture()
    large = message(b"x" * 101)
    assert len({*ids(capture, large), *ids(capture, large, large)}) == 3


def test_an_entry_is_closed_at_about_one_mebibyte() -> None:
    capture = a_capture(most=300_000)
    payloads = [b"%d" % number + b"x" * 250_000 for number in range(10)]

    pieces = capture.hear([message(payload) for payload in payloads], NOW_MS).pieces

    assert [len(piece.documents) for piece in pieces] == [5, 5]
    for piece in pieces:
        assert piece.size == sum(map(len, piece.documents)) >= 1 << 20
        assert piece.size < (1 << 20) + 300_000
    assert [envelope.payload_of(document)[0] for piece in pieces for document in piece.documents] == payloads


def test_an_entry_never_has_more_messages_than_have_a_position() -> None:
    (smallest,) = hear(a_capture({b"c": CONTENT}), message(b"", b"c"))
    assert module._ENTRY_BYTES / len(smallest) + 1 < MAX_MESSAGES_PER_ENTRY / 2, "and two may be joined"


# --- any reads, the same messages --------------------------------------------------------

some_payloads = st.sampled_from(
    [b"", b"x", b"y", b'{"id":1}', b'{"id": 1}', b'{"id":2}', b"\xff", b"x" * 101]
)
some_messages = st.builds(message, some_payloads, st.sampled_from([*POLICIES, b"unwanted"]))
other_pushes = st.sampled_from(
    [[b"subscribe", b"every", 1], [b"unsubscribe", b"every", 1], [b"message", CONTROL, b"c"]]
)


@st.composite
def heard_in_order(draw: st.DrawFn, first: int = 1) -> list[Push]:
    """Messages and others, with ticks that count up."""
    pushes: list[Any] = draw(st.lists(some_messages | other_pushes | st.just("tick"), max_size=40))
    numbers = iter(range(first, first + 100))
    return [tick(next(numbers)) if push == "tick" else push for push in pushes]


def cut(pushes: Sequence[Push], data: st.DataObject) -> Iterable[Sequence[Push]]:
    """The same sequence as several reads."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(pushes)), max_size=8)))
    for begin, end in zip([0, *cuts], [*cuts, len(pushes)], strict=True):
        yield pushes[begin:end]


def hear_all(
    capture: Capture, reads: Iterable[Sequence[Push]]
) -> tuple[list[tuple[bytes, str]], list[Event]]:
    """Documents with the reason why they are refused, and events; both over all reads."""
    documents: list[tuple[bytes, str]] = []
    events: list[Event] = []
    for read in reads:
        heard = capture.hear(read, NOW_MS)
        for piece in heard.pieces:
            assert piece.documents
            assert piece.size == sum(map(len, piece.documents))
            assert not piece.reason or len(piece.documents) == 1
            blob = b"".join(piece.documents)
            assert split({b"messages": b"%d" % len(piece.documents), b"bson": blob}) == piece.documents
            documents += [(document, piece.reason) for document in piece.documents]
        events += heard.events
    return documents, events


@given(heard_in_order(), st.data())
def test_however_reads_are_cut_the_same_messages_come_in_the_same_order(
    pushes: list[Push], data: st.DataObject
) -> None:
    whole = hear_all(a_capture(), [pushes])
    assert hear_all(a_capture(), cut(pushes, data)) == whole
    assert hear_all(a_capture(), [[push] for push in pushes]) == whole


@given(heard_in_order())
def test_every_message_on_a_wanted_channel_is_kept_in_order(pushes: list[Push]) -> None:
    documents, _ = hear_all(a_capture(), [pushes])
    kept = [(envelope.channel_of(document), envelope.payload_of(document)[0]) for document, _ in documents]
    assert kept == [(name, payload) for _, name, payload in pushes if _ == b"message" and name in POLICIES]


@given(heard_in_order(), heard_in_order(), heard_in_order(102), st.data())
def test_two_listeners_that_hear_the_same_ticks_agree_on_every_id(
    before: list[Push], other_before: list[Push], common: list[Push], data: st.DataObject
) -> None:
    """They joined at different times and their reads are cut differently; then comes a tick.

    What was subscribed anew after it is each one's own matter until the next tick.
    """
    one, other = a_capture(connection=b"one"), a_capture(connection=b"other")
    hear_all(one, cut(before, data))
    hear_all(other, cut(other_before, data))
    common = [tick(101), *(push for push in common if push[0] != b"subscribe")]
    assert hear_all(one, cut(common, data)) == hear_all(other, cut(common, data))


@given(st.lists(st.sampled_from([b"x", b"y"]), max_size=20), st.data())
def test_under_every_each_publish_has_its_own_id(payloads: list[bytes], data: st.DataObject) -> None:
    pushes: list[Push] = []
    for number, payload in enumerate(payloads):
        pushes += [message(payload)] if data.draw(st.booleans()) else [tick(number), message(payload)]
    assert len(set(ids(a_capture(), *pushes))) == len(payloads)


def test_the_same_message_in_another_tick_or_of_another_redis_has_another_id() -> None:
    pushes = [tick(1), message(b"x"), tick(2), message(b"x"), tick(3, "restarted"), message(b"x")]
    assert len(set(ids(a_capture(), *pushes))) == 3


# --- before the first tick ---------------------------------------------------------------


def test_before_the_first_tick_ids_are_the_connections_alone() -> None:
    one, other = a_capture(connection=b"one"), a_capture(connection=b"other")
    assert ids(one, message(b"x")) != ids(other, message(b"x"))
    assert ids(one, tick(1), message(b"x")) == ids(other, tick(1), message(b"x"))


def test_a_new_connection_has_joined_in_the_middle_of_a_tick() -> None:
    capture = a_capture()
    before = ids(capture, tick(1), message(b"x"))
    capture.begin(b"two")
    joined = ids(capture, message(b"x"))
    capture.begin(b"three")
    assert len({*before, *joined, *ids(capture, message(b"x"))}) == 3


def test_something_that_is_not_a_tick_does_not_begin_one() -> None:
    one, other = a_capture(), a_capture()
    assert ids(one, tick(1), message(b"x"), [b"message", TICKS, b"2 1 0"], message(b"x")) == ids(
        other, tick(1), message(b"x"), message(b"x")
    )


def test_content_and_field_do_not_depend_on_ticks_or_connections() -> None:
    push = [message(b'{"id":1}', b"content"), message(b'{"id":1}', b"field")]
    one, other = a_capture(connection=b"one"), a_capture(connection=b"other")
    assert ids(one, *push) == ids(one, tick(1), *push) == ids(other, *push)


# --- wanted again ------------------------------------------------------------------------


def test_a_channel_that_is_wanted_again_within_a_tick_takes_no_message_for_an_earlier_one() -> None:
    capture = a_capture()
    before = ids(capture, tick(1), message(b"x"), message(b"x"))
    capture.let_go(b"every")
    capture.want(b"every")
    assert len({*before, *ids(capture, message(b"x"))}) == 3


def test_a_channel_that_was_said_twice_to_be_wanted_goes_on_counting() -> None:
    one, other = a_capture(), a_capture()
    for capture in (one, other):
        hear(capture, tick(1), message(b"x"))
    one.want(b"every")
    assert ids(one, message(b"x")) == ids(other, message(b"x"))


@pytest.mark.parametrize("is_let_go", [False, True])
def test_a_policy_that_comes_back_takes_no_message_for_an_earlier_one(is_let_go: bool) -> None:
    capture = a_capture()
    before = ids(capture, tick(1), message(b"x"))
    between = ids(capture, tick(2, changes=((b"every", CONTENT),)), message(b"x"))
    if is_let_go:
        capture.let_go(b"every")
        capture.want(b"every")
    after = ids(capture, tick(3, changes=((b"every", EVERY),)), message(b"x"))
    assert len({*before, *between, *after}) == 3


def test_wanted_again_it_agrees_from_the_next_tick_on_with_those_that_never_let_go() -> None:
    one, other = a_capture(), a_capture()
    for capture in (one, other):
        hear(capture, tick(1), message(b"x"))
    one.let_go(b"every")
    for capture in (one, other):
        hear(capture, tick(2))
    one.want(b"every")
    assert ids(one, message(b"x")) != ids(other, message(b"x"))
    assert ids(one, tick(3), message(b"x")) == ids(other, tick(3), message(b"x"))


# --- what others may have relayed as well ------------------------------------------------

SUBSCRIBED: Push = [b"subscribe", b"every", 1]


@pytest.mark.parametrize(
    ("before", "left_out"),
    [
        ([], True),
        ([tick(1)], False),
        ([tick(1), SUBSCRIBED], True),
        ([SUBSCRIBED, tick(1)], False),
        ([tick(1), message(b"x"), SUBSCRIBED, message(b"x"), tick(2)], False),
    ],
    ids=["joined", "whole tick", "subscribed within", "subscribed before", "subscribed in the tick before"],
)
def test_what_nobody_else_would_name_the_same_is_left_out_where_it_might_be_stored_twice(
    before: list[Push], left_out: bool
) -> None:
    capture = a_capture()
    hear(capture, *before)
    heard = capture.hear([message(b"x"), message(b"x", b"content")], NOW_MS, shared=True)
    assert heard.left_out == left_out
    assert [envelope.channel_of(document) for document in documents_of(heard)] == (
        [b"content"] if left_out else [b"every", b"content"]
    )


def test_reading_what_a_reply_means_changes_no_id() -> None:
    one, other = a_capture(), a_capture()
    for capture in (one, other):
        hear(capture, tick(1), message(b"x"))
    one.read(tick(2))
    one.read(SUBSCRIBED)
    assert ids(one, message(b"x")) == ids(other, message(b"x"))
