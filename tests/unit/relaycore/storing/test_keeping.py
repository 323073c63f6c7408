"""What is believed of numbers and positions, and what is done where it cannot be so."""

import pytest

from relaycore.storing.keeping import Keeper
from relaycore.storing.known import Beside, Kept, numbers


def test_the_number_of_the_last_message_and_how_many_there_are() -> None:
    assert numbers(b"7", b"3") == (7, 3)
    assert numbers(b"3", b"3") == (3, 3)
    assert numbers(b"9" * 15, b"1") == (999_999_999_999_999, 1)


@pytest.mark.parametrize(
    ("upto", "messages"),
    [(b"", b"1"), (b"1", b""), (b"x", b"1"), (b"-1", b"1"), (b" 1", b"1"), (b"2", b"3"), (b"9" * 16, b"1")],
)
def test_what_cannot_be_a_number_says_nothing(upto: bytes, messages: bytes) -> None:
    assert numbers(upto, messages) is None


KEPT = Kept(epoch=1, upto=5, position="100-0", mark="6000-0")


@pytest.mark.parametrize(
    "beside",
    [
        Beside(stored=5, stored_id="100-0", last_id="100-0", has_group=False),
        Beside(stored=4, stored_id="90-0", last_id="100-0"),
        Beside(stored=5, stored_id="100-0", last_id="99-0"),
        Beside(stored=7, stored_id="200-0", last_id="100-0"),
    ],
    ids=["no group", "less stored", "below what is kept", "below what is acknowledged"],
)
def test_a_redis_that_does_not_say_which_run_it_is_has_gone_back_if_it_knows_less(beside: Beside) -> None:
    assert Keeper(2).begin(5, KEPT, beside).raise_to == KEPT.mark


def test_where_nothing_was_ever_stored_nothing_is_raised() -> None:
    assert Keeper(1).begin(0, Kept(epoch=1), Beside(has_group=False)).raise_to == ""


def test_a_group_that_was_there_is_not_made_again() -> None:
    assert Keeper(1).begin(0, Kept(epoch=1), Beside(has_group=False)).makes_group
    assert not Keeper(2).begin(5, KEPT, Beside(stored=5, stored_id="100-0", last_id="100-0")).makes_group


def test_an_entry_that_comes_later_below_what_was_read_shows_that_ids_have_fallen_back() -> None:
    """Somebody else has made the group of a stream that was deleted: nothing else says so."""
    keeper = Keeper(2)
    keeper.begin(5, KEPT, Beside(stored=5, stored_id="100-0", last_id="100-0"))
    keeper.read("200-0", 6)
    assert keeper.has_fallen("150-0", 7)
    assert not keeper.has_fallen("150-0", 6), "it is delivered again"
    assert not keeper.has_fallen("201-0", 7)


def test_who_knows_what_mongodb_has_acknowledged_need_not_be_told_by_redis() -> None:
    """A writer of an earlier term has brought Redis down to a MongoDB that was restored."""
    keeper = Keeper(2)
    keeper.begin(5, KEPT, Beside(stored=5, stored_id="100-0", last_id="100-0"))
    keeper.settled("200-0", 9)
    keeper.kept(keeper.to_keep(200))
    again = keeper.begin(5, KEPT, Beside(stored=5, stored_id="100-0", last_id="200-0"))
    assert (again.mongo_lost, again.stored, again.redeliver_after) == (4, 5, "100-0")


def test_what_waits_below_what_was_stored_and_comes_later_is_appended_anew() -> None:
    beside = Beside(stored=5, stored_id="100-0", last_id="300-0", waiting="50-0", before=5)
    assert Keeper(2).begin(5, KEPT, beside).raise_to == KEPT.mark
    again = Beside(stored=5, stored_id="100-0", last_id="300-0", waiting="50-0", before=2)
    assert Keeper(2).begin(5, KEPT, again).raise_to == "", "it was delivered, and not acknowledged"
