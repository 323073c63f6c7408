"""Anybody who reaches Redis may publish on Relay's internal channels too."""

from typing import Any

import pytest

from relayproject import keys

from .world import Loop, Wait, is_active, is_led, lease, on_stream, publish, start, wait_until_heard

pytestmark = pytest.mark.django_db(transaction=True)

NO_TICKS = [
    *(b"", b"\0", b"\xff", b"1", b"1 2 3", b"1 2 3 ", b" 1 2 3 x", b"1 2 3 x y", b"1  2 3 x"),
    *(b"-1 2 3 x", b"1.0 2 3 x", b"a b c d", b"1 2 3 \xc3\xa9", b"1 2 3 x\n", b"9" * 5_000 + b" 9 9 x"),
    *("１ 2 3 x".encode(), b"x" * (1 << 20)),
]
NO_NAMES = [b"", b"\0", b"\xff\xfe", b"nothing of that name", b"'; delete from channels", b"x" * (1 << 20)]


@pytest.mark.parametrize("policy", ["content", "every"])
def test_noise_on_the_internal_channels_changes_nothing(
    policy: str, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "target", wait_until, deduplicate=policy)
    epoch = lease().epoch
    sent = []
    for number, noise in enumerate(NO_TICKS + NO_NAMES):
        publish(relay_keys, keys.tick_channel(0), [noise])
        publish(relay_keys, keys.control_channel(0), [noise.replace(b"\0", b"")])
        sent.append(f"text {number}")
        publish(relay_keys, "target", sent[-1:])
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: len(on_stream(relay_keys)) == len(sent))
    assert on_stream(relay_keys) == sent
    assert is_active("target")
    assert is_led()
    assert lease().epoch == epoch
    assert listening.is_alive


def test_what_is_published_on_an_internal_channel_is_never_relayed(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "beside", wait_until)
    for channel in (keys.tick_channel(0), keys.control_channel(0), keys.LEGACY_CHANNEL):
        relay_keys.publish(channel, '{"channel": "beside", "message": "forged", "id": "1"}')
    publish(relay_keys, "beside", ["true"])
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: on_stream(relay_keys) == ["true"])
