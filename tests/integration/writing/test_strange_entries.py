"""What somebody else puts on the stream neither stops the writer nor makes up a gap."""

import pytest

from channels_app.models import Gap
from messages_app import beside
from messages_app.searching import watermark
from relaybase.connections import shared_redis
from relaycore.envelope import F_UPTO

from .test_vanished import Writing, append, store
from .world import Wait, World, document, fields_of

pytestmark = pytest.mark.django_db(transaction=True)

NUMBERS = ["abc", "", "-5", "1e400", "0x10", " 7 ", "9" * 25, "9" * 5000, "9223372036854775808"]


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
def test_a_running_number_that_cannot_be_one_says_nothing(
    world: World, wait_until: Wait, number: str
) -> None:
    store(world, wait_until, "before")
    world.append_raw({F_UPTO: number} | fields_of([document("strange")]))
    append(world.redis, "after")

    assert watermark.look(0)[0] is not None
    with Writing():
        wait_until(lambda: len(world.stored()) == 3)
        wait_until(lambda: watermark.is_drained(0))

    assert not Gap.objects.exists()
    assert beside.look(shared_redis(), 0).stored == 2
