"""A message that stands twice on the stream keeps its first position."""

import pytest

from messages_app.writing import writer as writer_module
from relaycore.storing.batching import ReadSize

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


def test_without_the_barrier_the_later_position_wins(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: it shows that the test above proves something."""
    monkeypatch.setattr(writer_module, "F_SOURCE", b"no such field")

    stored, first = _race(world, wait_until)

    assert stored > first
    world.assert_each_stored_once()  # Once all the same.
