"""What a consumer that is no writer has taken out of the group is stored all the same, in its place."""

import pytest

from channels_app.models import Gap
from messages_app.searching import watermark
from messages_app.writing.kept import KeptInMongo
from relaycore.storing.known import Kept

from .test_vanished import Writing, append, store
from .world import Wait, World

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_another_consumer_has_taken_is_claimed_at_once_where_nothing_can_be_stored_without_it(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    claim = KeptInMongo.claim

    def counted(self: KeptInMongo, epoch: int) -> Kept | None:
        begun.append(epoch)
        return claim(self, epoch)

    store(world, wait_until, "before")
    append(world.redis, "taken")
    world.deliver(1, consumer="somebody else")
    append(world.redis, "after")
    monkeypatch.setattr(KeptInMongo, "claim", counted)

    with Writing():
        wait_until(lambda: len(world.stored()) == 3)
        wait_until(lambda: watermark.is_drained(0))

    assert world.stored() == ["before", "taken", "after"]
    assert len(begun) <= 3, "it did not spin"
    assert not Gap.objects.exists()
