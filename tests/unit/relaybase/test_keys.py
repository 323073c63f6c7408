"""Redis keys and internal channels."""

import re

import pytest

from relaybase import keys
from relaycore.channels import check_name
from relaycore.errors import BadChannelName

OWN = "own"
OF_A_PARTITION = [
    keys.stream,
    keys.tick_counter,
    keys.echoes,
    keys.stored,
    keys.last_at,
    keys.suspect,
    lambda partition: keys.tick_channel(OWN, partition),
    lambda partition: keys.control_channel(OWN, partition),
    lambda partition: keys.news_channel(OWN, partition),
]


def test_the_keys_of_a_partition_share_a_hash_tag_and_nothing_else() -> None:
    spelled = [key(partition) for partition in (0, 1, 10) for key in OF_A_PARTITION]
    assert len(set(spelled)) == len(spelled)
    tags = [re.findall(r"\{(.+?)\}", key) for key in spelled]
    assert tags == [[str(partition)] for partition in (0, 1, 10) for _ in OF_A_PARTITION]


@pytest.mark.parametrize(
    "channel",
    [
        keys.tick_channel(OWN, 0),
        keys.control_channel(OWN, 12),
        keys.news_channel(OWN, 1),
        keys.DEPLOYMENT,
        keys.LEGACY_CHANNEL,
        keys.stream(0),
    ],
)
def test_what_relay_publishes_itself_cannot_be_relayed(channel: str) -> None:
    with pytest.raises(BadChannelName):
        check_name(channel)


def test_channels_of_another_deployment_are_others() -> None:
    for channel in (keys.tick_channel, keys.control_channel, keys.news_channel):
        assert channel("one", 0) != channel("two", 0)
        assert re.fullmatch(keys.internal_channels("one").replace("*", ".*"), channel("one", 0))
        assert not re.fullmatch(keys.internal_channels("one").replace("*", ".*"), channel("two", 0))
