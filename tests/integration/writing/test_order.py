"""A message that stands twice on the stream keeps its first position."""

import pytest

from relaycore.storing.batching import ReadSize
from relaycore.storing.together import Contents

from .world import Failpoint, Wait, World, document, fields_of, position, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


def _race(world: World, wait_until: Wait) -> tuple[str, str]:
    """A message is repeated under a new source while its insert is slow: its stored and first positions."""
    texts = ["repeated", *(f"text {n}" for n in range(1, ReadSize(1).entries))]  # As many as one read takes.
    world.append("warm")
    with running():
        wait_until(world.is_settled)
        with (
            Failpoint(times=1, blockConnection=True, blockTimeMS=600),
            world.redis.pipeline(transaction=True) as pipe,
        ):
            for text in texts:
                pipe.xadd(world.stream, fields_of([document(text)], source="1.1"))
            pipe.xadd(world.stream, fields_of([document("repeated")], source="1.2"))
            first, *_ = pipe.execute()
            wait_until(world.is_settled)
    world.appended += [("orders", text) for text in texts]
    return world.position("repeated"), position(first.decode())


def test_the_first_position_wins_though_its_insert_is_slow(world: World, wait_until: Wait) -> None:
    stored, first = _race(world, wait_until)

    assert stored == first
    world.assert_each_stored_once()


def test_a_request_and_its_repetition_in_one_entry_are_stored_once_where_they_stood_first(
    world: World, wait_until: Wait
) -> None:
    world.append("heard", "both")
    first = world.append("a", "b", "a", "b", "both", source="http.1")
    again = world.append("b", "c", source="http.1")

    with running():
        wait_until(world.is_settled)
        wait_until(lambda: world.counts() == {"orders": 5})

    world.assert_each_stored_once()
    assert world.stored() == ["heard", "both", "a", "b", "c"]
    assert (world.position("b"), world.position("c")) == (position(first, 1), position(again, 1))


def test_what_shares_no_message_is_in_flight_together_wherever_it_comes_from(
    world: World, wait_until: Wait
) -> None:
    texts = [f"text {n}" for n in range(ReadSize(1).entries)]  # As many as one read takes.
    world.append("warm")
    with running():
        wait_until(world.is_settled)
        with (
            Failpoint(times=1, blockConnection=True, blockTimeMS=8000),
            world.redis.pipeline(transaction=True) as pipe,
        ):
            for number, text in enumerate(texts):
                pipe.xadd(world.stream, fields_of([document(text)], source=f"1.{number % 2}"))
            pipe.xadd(world.stream, fields_of([document("published")], source="http.1"))
            pipe.execute()
            # Which of the two inserts reaches MongoDB first, and is held up there, is up to the threads.
            wait_until(lambda: bool({"published", "text 0"} & set(world.stored())), seconds=7)
            assert not {"published", "text 0"} <= set(world.stored()), "one is still on its way"
            wait_until(world.is_settled, seconds=20)
    world.appended += [("orders", text) for text in [*texts, "published"]]
    world.assert_each_stored_once()


def test_without_the_comparison_the_later_position_wins(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: it shows that the test above proves something."""
    monkeypatch.setattr(Contents, "shares_with", lambda self, other: False)

    stored, first = _race(world, wait_until)

    assert stored > first
    world.assert_each_stored_once()  # Once all the same.
