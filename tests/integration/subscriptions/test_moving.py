"""Where cursors begin, seeking, what is dead, and how far a subscription is behind."""

from typing import Any

import pytest
from django.db import connection

from access_app.models import AuditEntry
from relaybase import keys
from relaycore.delivering.beginning import parse
from relaycore.delivering.cursor import first_generation
from relaycore.delivering.holding import KEY_CHARS
from relaycore.delivering.leasing import State
from relaycore.errors import DeliveryUnknown, Disconnected, WrongMode
from relaycore.position import START, previous_position
from subscribers_app import dead, ended, lag, seeking, starting
from subscribers_app.dead import Done, Which
from subscribers_app.models import Delivery, Subscription, Undelivered
from tests.integration.subscriptions.conftest import at, give, key, moment, subscribe, wait

pytestmark = pytest.mark.django_db


def _row(row: Subscription) -> Subscription:
    return Subscription.objects.get(pk=row.pk)


def _undelivered() -> list[Any]:
    return list(Undelivered.objects.order_by("id").values_list("cause", "after", "upto", "messages"))


def test_latest_is_after_the_last_entry_of_the_stream(orders: Any, relay_keys: Any) -> None:
    relay_keys.xadd(keys.stream(0), {"a": "b"}, id="1700000005000-3")
    last = starting.resolve("orders", parse("latest"))
    assert last == "1700000005000-0000000003-99999"
    # What has left the stream was there, too.
    relay_keys.xtrim(keys.stream(0), maxlen=0, approximate=False)
    assert starting.resolve("orders", parse("latest")) == last


def test_latest_is_after_what_is_stored_where_redis_has_lost_its_data(orders: Any, store: Any) -> None:
    store(1, 2)
    assert starting.resolve("orders", parse("latest")) == at(2)


def test_where_nobody_knows_what_is_latest_nothing_begins(orders: Any, redis_away: Any) -> None:
    for start in ("latest", {"time": "2026-01-01T00:00:00Z"}, {"position": at(1)}):
        with pytest.raises(Disconnected):
            subscribe(start=start)
    assert subscribe(start="earliest").position == START


def test_a_time_is_right_below_its_first_message(orders: Any, store: Any) -> None:
    store(1, 2, 3)
    begins = starting.resolve("orders", parse({"time": moment(2).isoformat()}))
    assert at(1) < begins < at(2)


def test_a_place_that_lies_ahead_passes_over_nothing_to_come(orders: Any, store: Any) -> None:
    store(1, 2)
    for ahead in ({"time": "2200-01-01T00:00:00Z"}, {"position": at(3)}, {"time": "2999-01-01T00:00:00Z"}):
        assert starting.resolve("orders", parse(ahead)) == at(2)


def test_what_was_deleted_before_it_began_is_no_loss_of_it(orders: Any, archive: Any) -> None:
    archive.database["expired"].insert_one({"_id": "orders", "upto": at(3), "messages": 7, "going": 0})
    row = subscribe()
    assert (row.noted_upto, row.noted_messages, row.position) == (at(3), 7, START)


def test_a_dry_run_changes_nothing(orders: Any, store: Any) -> None:
    store(1, 2, 3)
    row = subscribe()
    sought = seeking.seek("billing", parse({"position": at(2)}), dry_run=True)
    assert (sought.origin, sought.to, sought.messages, sought.is_exact) == (START, at(2), 2, True)
    assert (_row(row).position, _row(row).generation) == (START, first_generation(row.pk))
    assert not _undelivered()


def test_a_seek_forward_puts_on_record_what_it_passes_over(orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1])
    sought = seeking.seek("billing", parse({"position": at(3)}))

    assert (sought.origin, sought.to, sought.messages, sought.is_exact) == (at(1), at(3), 3, True)
    assert (_row(row).position, _row(row).fetched, _row(row).generation) == (
        at(3),
        at(3),
        first_generation(row.pk) + 1,
    )
    assert not Delivery.objects.exists()
    ((cause, after, upto, messages),) = _undelivered()
    # The one that was on its way is passed over as well.
    assert (cause, upto, messages) == ("seek", at(3), 3)
    assert after < at(1)
    entry = AuditEntry.objects.get(action="subscription sought")
    assert (entry.target, entry.details["messages"]) == ("billing", 3)


def test_a_seek_back_passes_over_only_what_was_on_its_way_below(orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1, 2, 3, 4])
    sought = seeking.seek("billing", parse({"position": at(2)}))

    assert (sought.to, sought.messages) == (at(2), 2)
    assert not Delivery.objects.exists()
    ((cause, after, upto, messages),) = _undelivered()
    assert (cause, upto, messages) == ("seek", at(2), 2)
    assert after < at(1)
    seeking.seek("billing", parse("earliest"))
    assert len(_undelivered()) == 1


def test_a_seek_back_puts_on_record_what_was_on_its_way_and_may_be_deleted(
    orders: Any, store: Any, archive: Any
) -> None:
    row = subscribe()
    store(2, 3)
    give(row, [1, 2, 3])
    archive.database["expired"].insert_one({"_id": "orders", "upto": at(1), "messages": 1, "going": 0})
    seeking.seek("billing", parse("earliest"))
    # Nobody comes by it again, and the row that a seek deletes is the last that is known of it.
    assert _undelivered() == [("seek", previous_position(at(1)), at(1), 1)]


def test_a_dead_letter_that_comes_as_new_anyway_is_not_redriven(orders: Any, store: Any) -> None:
    store(1)
    row = subscribe()
    give(row, [1], State.DEAD)
    seeking.seek("billing", parse("earliest"))
    # A look at what that would do says the same.
    assert dead.redrive(row, Which(), dry_run=True) == dead.redrive(row, Which()) == Done(above_cursor=1)
    assert [one.position for one in dead.letters(row)] == [at(1)]


def test_a_dry_run_of_a_redrive_says_what_the_redrive_does(orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1, 2, 3, 4, 5], State.DEAD)
    seeking.seek("billing", parse({"position": at(2)}))
    said = dead.redrive(row, Which(), dry_run=True)
    assert dead.letters(row).count() == 5
    assert dead.redrive(row, Which()) == said == Done(2, 1, 2)
    assert [one.position for one in dead.letters(row)] == [at(3), at(4), at(5)]


def test_a_dry_run_knows_what_waits_behind_another_one_of_its_key(orders: Any, store: Any) -> None:
    store(1, 2, 3, 4, 5)
    row = subscribe(order="field", order_field="customer")
    give(row, [3], State.DEAD, key="a" * KEY_CHARS)
    wait(row, 2, 5, 3)
    said = dead.redrive(row, Which(), dry_run=True)
    assert dead.redrive(row, Which()) == said == Done(above_cursor=1)


def test_dead_letters_outlive_a_seek(orders: Any, store: Any) -> None:
    store(1, 2)
    row = subscribe()
    give(row, [1], State.DEAD)
    give(row, [2])
    seeking.seek("billing", parse("earliest"))
    assert [one.position for one in dead.letters(row)] == [at(1)]


def test_what_retention_took_before_a_seek_is_put_down_to_retention(
    orders: Any, store: Any, archive: Any
) -> None:
    subscribe()
    store(3, 4)
    archive.database["expired"].insert_one({"_id": "orders", "upto": at(2), "messages": 2, "going": 0})
    seeking.seek("billing", parse({"position": at(4)}))
    assert _undelivered() == [("retention", START, at(2), 2), ("seek", START, at(4), 2)]


def test_what_is_not_stored_yet_makes_the_number_unknown(orders: Any, store: Any, relay_keys: Any) -> None:
    store(1)
    relay_keys.xadd(keys.stream(0), {"a": "b"}, id="1700000002000-0")
    subscribe()
    sought = seeking.seek("billing", parse("latest"))
    assert (sought.messages, sought.is_exact) == (1, False)
    assert [messages for *_, messages in _undelivered()] == [None]


def test_how_far_it_is_behind(orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1, 2])
    give(row, [3], State.DEAD)
    found = lag.of(_row(row))
    with connection.cursor() as sql:
        sql.execute("SELECT extract(epoch FROM clock_timestamp())")
        now = float(sql.fetchone()[0])
    assert (found.messages, found.is_exact) == (3, True)
    assert found.age_seconds == pytest.approx(now - moment(1).timestamp(), abs=5)
    give(row, [4], State.DEAD)
    Delivery.objects.exclude(state="dead").delete()
    assert lag.of(_row(row)) == lag.Lag(0, True, None)


def test_no_more_are_counted_than_a_bound(orders: Any, store: Any) -> None:
    store(*range(1, 12))
    row = subscribe()
    assert lag.of(row, most=10) == lag.Lag(10, False, pytest.approx(lag.of(row).age_seconds, abs=5))
    assert lag.of(row, most=11).is_exact
    filtered = subscribe("filtered", filter={"a": ["b"]})
    assert not lag.of(filtered).is_exact


def test_a_dead_letter_is_handed_out_again(orders: Any, store: Any) -> None:
    store(1, 2, 3)
    row = subscribe()
    give(row, [1, 2, 3], State.DEAD, why="given back")

    assert dead.redrive(row, Which(ids=[key(1)]), dry_run=True) == Done(1)
    assert dead.letters(row).count() == 3
    assert dead.redrive(row, Which(ids=[key(1)])) == Done(1)
    again = Delivery.objects.get(position=at(1))
    assert (again.state, again.attempt, again.before) == ("waiting", 1, 1)
    assert (again.why, again.died_at) == ("", None)
    assert dead.redrive(row, Which()) == Done(2)
    assert not dead.letters(row).exists()


def test_one_whose_message_is_gone_stays(orders: Any, store: Any) -> None:
    store(1)
    row = subscribe()
    give(row, [1, 2], State.DEAD)
    assert dead.expired(dead.letters(row)) == {at(2)}
    assert dead.redrive(row, Which(), dry_run=True) == dead.redrive(row, Which()) == Done(1, 1)
    assert [one.position for one in dead.letters(row)] == [at(2)]
    assert dead.drop(row, Which(), dry_run=True) == dead.drop(row, Which()) == Done(1)
    assert [(cause, upto) for cause, _, upto, _ in _undelivered()] == [("drop", at(2))]


def test_dead_letters_since_a_time(orders: Any, store: Any) -> None:
    store(1, 2)
    row = subscribe()
    give(row, [1], State.DEAD)
    Delivery.objects.update(died_at=moment(1))
    give(row, [2], State.DEAD)
    assert dead.drop(row, Which(since=moment(2))) == Done(1)
    assert [one.position for one in dead.letters(row)] == [at(1)]


def test_a_message_is_skipped_whatever_becomes_of_it(orders: Any, store: Any) -> None:
    store(1, 2)
    row = subscribe()
    give(row, [1])
    give(row, [2], State.DEAD)
    for number in (1, 2):
        dead.skip(row, key(number))
        with pytest.raises(DeliveryUnknown):
            dead.skip(row, key(number))
    assert not Delivery.objects.exists()
    assert [(cause, upto) for cause, _, upto, _ in _undelivered()] == [("skip", at(1)), ("skip", at(2))]


def test_where_nothing_is_leased_nothing_is_dead(orders: Any) -> None:
    row = subscribe(mode="cursor")
    for call in (dead.redrive, dead.drop):
        with pytest.raises(WrongMode):
            call(row, Which())
    with pytest.raises(WrongMode):
        dead.skip(row, key(1))


def test_what_ended_undelivered_is_one_list(orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1], State.DEAD, why="given back")
    give(row, [2])
    dead.skip(row, key(2))
    seeking.seek("billing", parse("latest"))

    found = ended.read(row, 10)
    assert [one.cause for one in found] == ["seek", "skip", "dead"]
    assert (found[-1].upto, found[-1].messages, found[-1].why) == (at(1), 1, "given back")
    pages = [ended.read(row, 1, behind=behind.place) for behind in found]
    assert pages == [[found[1]], [found[2]], []]
    assert ended.read(row, 10, since=found[1].at) == found[:2]
