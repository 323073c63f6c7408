"""What is sent when, without a clock."""

import random
from typing import Any

import pytest

from relay_client import BufferFull, Limits, Receipt, Undelivered
from relay_client.backoff import FIRST_SECONDS, MOST_SECONDS, delay
from relay_client.errors import BadMessage, RelayError, TooLarge
from relay_client.publishing.lane import Lane
from relay_client.publishing.outbox import Outbox
from relay_client.publishing.outgoing import (
    Accepted,
    Again,
    Batch,
    Outcome,
    Outgoing,
    Refused,
    Settled,
    TooMuch,
)
from relay_client.publishing.resolving import Unresolved

ERROR = RelayError("so it is")


def outbox(**limits: float) -> Outbox[str]:
    return Outbox(Limits(**{"batch_messages": 3, "linger_seconds": 1.0, **limits}))


def put(box: Outbox[str], *names: str, now: float = 0.0, channel: str = "orders") -> None:
    for name in names:
        box.add(Outgoing(channel, f"key of {name}", name.encode(), name), now)


def names(batch: Batch[str] | None) -> str:
    assert batch is not None
    return "".join(message.handle for message in batch.messages)


def take(box: Outbox[str], now: float) -> Batch[str]:
    batch, settled = box.step(now)
    assert batch is not None
    assert not settled
    return batch


def accepted(batch: Batch[str]) -> Accepted:
    return Accepted([Receipt(batch.channel, one.handle, one.idempotency_key) for one in batch.messages])


def results(settled: list[Settled[str]]) -> dict[str, str]:
    return {
        one.message.handle: str(one.result.reason) if isinstance(one.result, Undelivered) else "delivered"
        for one in settled
    }


def answer(box: Outbox[str], batch: Batch[str], outcome: Outcome, now: float = 0.0) -> dict[str, str]:
    return results(box.answered(batch, outcome, now, chance=1.0))


# --- when ---------------------------------------------------------------------------------------


def test_a_message_waits_for_others_and_no_longer_than_it_may() -> None:
    box = outbox()
    assert box.look_at() is None
    put(box, "a", now=5.0)
    put(box, "b", now=5.5)
    assert box.look_at() == 6.0
    assert box.step(5.9) == (None, [])
    assert names(take(box, 6.0)) == "ab"


def test_a_full_batch_does_not_wait() -> None:
    box = outbox()
    put(box, *"abcd")
    assert names(take(box, 0.0)) == "abc"
    assert box.step(0.0) == (None, [])


def test_bytes_fill_a_batch_too_and_a_large_message_goes_alone() -> None:
    box = outbox(batch_messages=100, batch_bytes=10)
    put(box, "aaaa", "bbbb", "c" * 50, "dddd")
    sent = []
    while (batch := box.step(9.0)[0]) is not None:
        sent.append(names(batch))
        answer(box, batch, accepted(batch))
    assert sent == ["aaaabbbb", "c" * 50, "dddd"]


def test_what_is_wanted_at_once_does_not_linger_and_what_comes_after_does() -> None:
    box = outbox(linger_seconds=60)
    put(box, "a")
    put(box, "x", channel="other")
    box.hurry()
    assert {names(take(box, 0.0)), names(take(box, 0.0))} == {"a", "x"}
    put(box, "y", channel="third")
    assert box.look_at() == 60.0


def test_what_is_wanted_at_once_again_and_again_costs_what_came_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box, looked = outbox(linger_seconds=60), []
    for number in range(100):
        put(box, "a", channel=f"channel {number}")
    box.hurry()
    ready_at = Lane.ready_at

    def noted(lane: Lane[str], *about: Any) -> float | None:
        looked.append(lane.channel)
        return ready_at(lane, *about)

    monkeypatch.setattr(Lane, "ready_at", noted)
    box.hurry()
    assert looked == []
    put(box, "b", channel="channel 7")
    put(box, "a", channel="new")
    looked.clear()
    box.hurry()
    assert looked == ["channel 7", "new"]


@pytest.mark.parametrize("seed", range(50))
def test_hurrying_what_came_between_is_hurrying_everything(seed: int) -> None:
    class Thorough(Outbox[str]):
        def hurry(self) -> None:
            self._hurried_upto = self._numbered
            for lane in self._lanes.values():
                self._schedule(lane)

    chance, now = random.Random(seed), 0.0
    limits = Limits(batch_messages=3, linger_seconds=5, delivery_seconds=30, most_under_way=3)
    boxes: list[Outbox[str]] = [Outbox(limits), Thorough(limits)]
    under_way: list[list[Batch[str]]] = []
    for number in range(400):
        now += chance.random()
        match chance.choice(["put", "put", "put", "hurry", "step", "answer"]):
            case "put":
                channel = chance.choice("uvwxyz")
                for box in boxes:
                    put(box, f"{number} ", now=now, channel=channel)
            case "hurry":
                for box in boxes:
                    box.hurry()
            case "step":
                steps = [box.step(now) for box in boxes]
                assert len({str(results(settled)) for _, settled in steps}) == 1
                given = [batch for batch, _ in steps if batch is not None]
                assert len(given) in {0, 2}
                assert len({names(batch) for batch in given}) <= 1
                under_way += [given] if given else []
            case "answer" if under_way:
                pair = under_way.pop(chance.randrange(len(under_way)))
                fails, again = chance.random() < 0.5, Again(ERROR, may_be_stored=True)
                done = [
                    answer(box, batch, again if fails else accepted(batch), now=now)
                    for box, batch in zip(boxes, pair, strict=True)
                ]
                assert done[0] == done[1]
        assert boxes[0].look_at() == boxes[1].look_at()


def test_a_channel_has_one_batch_under_way_and_all_have_so_many() -> None:
    box = outbox(most_under_way=2)
    put(box, *"abcdef")
    first = take(box, 0.0)
    assert box.step(9.0) == (None, [])
    put(box, *"uvw", now=1.0, channel="x")
    put(box, *"uvw", now=2.0, channel="y")
    assert take(box, 9.0).channel == "x"
    assert (box.step(9.0), box.look_at()) == ((None, []), None)
    answer(box, first, accepted(first), now=9.0)
    assert names(take(box, 9.0)) == "def", "what came first goes first"


def test_a_busy_channel_does_not_keep_another_one_waiting() -> None:
    box = outbox(most_under_way=1)
    put(box, *"abc", now=0.0)
    put(box, "x", now=0.5, channel="quiet")
    batch = take(box, 2.0)
    put(box, *"def" * 10, now=2.0)
    answer(box, batch, accepted(batch), now=2.0)
    assert take(box, 2.0).channel == "quiet"


# --- what becomes of it -------------------------------------------------------------------------


def test_what_is_accepted_is_settled_with_its_receipt() -> None:
    box = outbox()
    put(box, *"abc")
    batch = take(box, 0.0)
    settled = box.answered(batch, accepted(batch), 0.0, 0.5)
    assert [one.result for one in settled] == [Receipt("orders", name, f"key of {name}") for name in "abc"]
    assert (box.messages, box.bytes, box.look_at()) == (0, 0, None)


def test_what_fails_is_sent_again_as_it_was_before_what_came_later() -> None:
    box = outbox()
    put(box, *"ab")
    batch = take(box, 1.0)
    put(box, *"cdef")
    assert answer(box, batch, Again(ERROR, may_be_stored=True), now=1.0) == {}
    assert box.look_at() == 1.0 + FIRST_SECONDS
    again = take(box, 2.0)
    assert (names(again), again.body) == ("ab", batch.body)
    answer(box, again, accepted(again))
    assert names(take(box, 2.0)) == "cde"


def test_what_relay_asks_to_wait_is_waited() -> None:
    box = outbox()
    put(box, *"abc")
    answer(box, take(box, 0.0), Again(ERROR, may_be_stored=False, asked=30.0))
    assert box.look_at() == 30.0 + FIRST_SECONDS


def test_waiting_grows_and_is_bounded_and_anything_up_to_there_by_chance() -> None:
    bounds = [delay(failures, 1.0) for failures in range(1, 12)]
    assert bounds[:4] == [FIRST_SECONDS * factor for factor in (1, 2, 4, 8)]
    assert bounds[-1] == delay(10_000, 1.0) == MOST_SECONDS
    assert delay(5, 0.0) == 0.0
    assert delay(5, 0.5) == bounds[4] / 2


def test_failures_are_counted_anew_once_something_is_accepted() -> None:
    box = outbox()
    put(box, *"abc")
    for _ in range(5):
        answer(box, take(box, box.look_at() or 0.0), Again(ERROR, may_be_stored=False))
    batch = take(box, box.look_at() or 0.0)
    put(box, *"def", now=50.0)
    answer(box, batch, accepted(batch), now=50.0)
    answer(box, take(box, 50.0), Again(ERROR, may_be_stored=False), now=50.0)
    assert box.look_at() == 50.0 + FIRST_SECONDS


def test_one_bad_message_is_left_out_and_the_rest_is_sent_in_its_order() -> None:
    box = outbox()
    put(box, *"abc")
    blamed = BadMessage(400, "bad")
    assert answer(box, take(box, 0.0), Refused(blamed, 1)) == {"b": str(blamed)}
    again = take(box, 0.0)
    assert names(again) == "ac"
    assert answer(box, again, accepted(again)) == {"a": "delivered", "c": "delivered"}


def test_an_index_that_no_message_has_blames_the_request() -> None:
    box = outbox()
    put(box, *"ab")
    assert answer(box, take(box, 1.0), Refused(ERROR, 2)) == {"a": "so it is", "b": "so it is"}


def test_what_is_refused_is_not_sent_again_and_the_next_batch_is() -> None:
    box = outbox()
    put(box, *"abcd")
    assert answer(box, take(box, 0.0), Refused(ERROR)) == dict.fromkeys("abc", "so it is")
    assert names(take(box, 1.0)) == "d"


def test_too_much_is_halved_until_a_single_message_is_too_much() -> None:
    box = outbox()
    put(box, *"abc")
    error = TooLarge(413, "too large")
    sent, done = [], {}
    while (batch := box.step(0.0)[0]) is not None:
        sent.append(names(batch))
        outcome = TooMuch(error) if "b" in sent[-1] or len(sent[-1]) > 1 else accepted(batch)
        done |= answer(box, batch, outcome)
    assert sent == ["abc", "a", "bc", "b", "c"]
    assert done == {"a": "delivered", "b": str(error), "c": "delivered"}


def test_a_half_that_fails_is_sent_again_before_the_other_one() -> None:
    box = outbox(batch_messages=4)
    put(box, *"abcd")
    answer(box, take(box, 0.0), TooMuch(ERROR))
    answer(box, take(box, 0.0), Again(ERROR, may_be_stored=True), now=0.0)
    sent = []
    while (batch := box.step(9.0)[0]) is not None:
        sent.append(names(batch))
        answer(box, batch, accepted(batch), now=9.0)
    assert sent == ["ab", "cd"]


# --- how long -----------------------------------------------------------------------------------


def test_what_is_too_old_is_given_up_with_the_last_error_and_whether_it_may_be_stored() -> None:
    box = outbox(delivery_seconds=10, most_under_way=1)
    put(box, *"ab", now=0.0)
    put(box, "x", now=0.0, channel="other")
    batch = take(box, 2.0)
    put(box, "c", now=5.0)
    answer(box, batch, Again(ERROR, may_be_stored=True, asked=100.0), now=6.0)
    other = take(box, 6.0)
    answer(box, other, Again(ERROR, may_be_stored=False, asked=100.0), now=6.0)
    assert box.look_at() == 10.0
    assert box.step(9.9) == (None, [])
    nothing, settled = box.step(10.0)
    assert nothing is None
    assert results(settled) == dict.fromkeys("abx", "so it is")
    assert {one.message.handle: getattr(one.result, "may_be_stored", None) for one in settled} == {
        "a": True,
        "b": True,
        "x": False,
    }
    nothing, settled = box.step(15.0)
    assert results(settled) == {"c": "so it is"}
    assert (box.messages, box.look_at()) == (0, None)


def test_of_a_batch_only_what_is_too_old_is_given_up() -> None:
    box = outbox(delivery_seconds=10)
    put(box, "a", now=0.0)
    put(box, *"bc", now=4.0)
    batch = take(box, 4.0)
    assert answer(box, batch, Again(ERROR, may_be_stored=True), now=12.0) == {"a": "so it is"}
    assert names(take(box, 13.0)) == "bc"


def test_what_was_never_tried_is_given_up_too() -> None:
    box = outbox(delivery_seconds=10, linger_seconds=60)
    put(box, "a")
    nothing, settled = box.step(10.0)
    assert nothing is None
    assert results(settled) == {"a": "It was not delivered within 10 s."}


def test_what_went_wrong_before_something_was_accepted_is_no_reason_any_more() -> None:
    box = outbox(delivery_seconds=10, linger_seconds=60)
    put(box, "a")
    box.hurry()
    answer(box, take(box, 0.0), Again(ERROR, may_be_stored=False), now=0.0)
    again = take(box, 5.0)
    put(box, "b", now=5.0)
    assert answer(box, again, accepted(again), now=5.0) == {"a": "delivered"}
    nothing, settled = box.step(15.0)
    assert nothing is None
    assert results(settled) == {"b": "It was not delivered within 10 s."}


def test_giving_up_settles_everything_in_its_order_and_late_answers_change_nothing() -> None:
    box = outbox()
    put(box, *"abcdef")
    put(box, "x", channel="other")
    first = take(box, 0.0)
    answer(box, first, Again(ERROR, may_be_stored=False), now=0.0)
    batch = take(box, 5.0)
    other = take(box, 5.0)
    settled = box.give_up(ERROR)
    assert "".join(one.message.handle for one in settled) == "abcdefx"
    stored = {one.message.handle for one in settled if getattr(one.result, "may_be_stored", False)}
    assert stored == {*"abcx"}, "what is under way may be"
    assert answer(box, batch, accepted(batch)) == answer(box, other, accepted(other)) == {}
    assert (box.messages, box.bytes, box.look_at()) == (0, 0, None)


# --- room ---------------------------------------------------------------------------------------


def test_room_is_what_is_not_settled_in_messages_and_bytes() -> None:
    box = outbox(buffer_messages=3, buffer_bytes=10)
    put(box, "aaaa", "bbbb")
    assert box.has_room(b"cc")
    assert not box.has_room(b"ccc")
    assert box.can_hold(b"c" * 10)
    assert not box.can_hold(b"c" * 11)
    put(box, "c")
    assert not box.has_room(b"")
    batch = take(box, 0.0)
    assert not box.has_room(b""), "on its way is not delivered"
    answer(box, batch, accepted(batch))
    assert box.has_room(b"c" * 10)


@pytest.mark.parametrize(
    "limits",
    [
        {"batch_messages": 0},
        {"batch_messages": 10_001},
        {"batch_bytes": 0},
        {"batch_bytes": 16 * 1024 * 1024 + 1},
        {"most_under_way": 0},
        {"buffer_messages": 0},
        {"buffer_bytes": 0},
        {"linger_seconds": -1},
        {"delivery_seconds": 0},
    ],
    ids=str,
)
def test_limits_that_cannot_be_meant_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        Limits(**limits)


def test_channels_that_have_nothing_take_no_memory() -> None:
    box = outbox()
    for number in range(100):
        put(box, *"abc", channel=f"channel {number}")
        batch = take(box, 0.0)
        answer(box, batch, accepted(batch))
    assert not box._lanes
    assert not box._lingering
    assert issubclass(BufferFull, RelayError)


def test_a_flush_counts_by_the_numbers_of_the_outbox() -> None:
    box, unresolved = outbox(), Unresolved()
    put(box, "a")
    put(box, "b", channel="other")
    take(box, 1.0)
    batch = take(box, 1.0)
    unresolved.add(batch.messages[0])
    flush = unresolved.flush()
    assert not flush.is_done
    unresolved.gone(box.answered(batch, accepted(batch), 1.0, chance=1.0))
    assert flush.is_done
