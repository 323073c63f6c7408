"""Waiting until a channel is heard."""

import time
from typing import Final

from channels_app.models import Channel
from channels_app.registration import unknown

MOST_SECONDS: Final = 30.0

_LOOK_SECONDS: Final = 0.02


def wait_until_active(name: str, seconds: float) -> None:
    """Return when the channel is ACTIVE, or after `seconds`. Not inside a transaction.

    Raises:
        ChannelUnknown: somebody has removed it meanwhile.
    """
    deadline = time.monotonic() + seconds
    while True:
        channel = Channel.objects.with_status().filter(channel=name).first()
        if channel is None:
            raise unknown(name)
        left = deadline - time.monotonic()
        if channel.status == Channel.Status.ACTIVE or left <= 0:
            return
        time.sleep(min(_LOOK_SECONDS, left))
