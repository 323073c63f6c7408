"""Redis keys and internal channels."""

import re

import pytest

from relaycore.channels import check_name
from relaycore.errors import BadChannelName
from relayproject import keys

OF_A_PARTITION = [
    keys.stream,
    keys.tick_counter,
    keys.stored,
    keys.last_at,
    keys.suspect,
    keys.tick_channel,
    keys.control_channel,
]


def test_the_keys_of_a_partition_share_a_hash_tag_and_nothing_else() -> None:
    spelled = [key(partition) for partition in (0, 1, 10) for key in OF_A_PARTITION]
    assert len(set(spelled)) == len(spelled)
    tags = [re.findall(r"\{(.+?)\}", key) for key in spelled]
    assert tags == [[str(partition)] for partition in (0, 1, 10) for _ in OF_A_PARTITION]


@pytest.mark.parametrize(
    "channel", [keys.tick_channel(0), keys.control_channel(12), keys.LEGACY_CHANNEL, keys.stream(0)]
)
def test_what_relay_publishes_itself_cannot_be_relayed(channel: str) -> None:
    with pytest.raises(BadChannelName):
        check_name(channel)
