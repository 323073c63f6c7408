"""Waiting until a channel is heard."""

import time
from typing import Final

from channels_app.models import Channel
from channels_app.registration import unknown
from channels_app.report import Report, why_not_heard

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


def why_not_active(report: Report) -> str:
    """Why the channel is not heard yet, for a reader."""
    partition = report.channel.partition
    if report.listener is None:
        return (
            f"Not heard yet: no listener holds partition {partition}. "
            "One is proposed every few seconds, to the Celery workers of the queue `listeners`."
        )
    if report.channel.refusal or not report.listener.hears or report.listener.trouble:
        return f"Not heard yet: {why_not_heard(report.channel, report.listener)}"
    return (
        f"Not heard yet: the listener of partition {partition} "
        f"(host {report.listener.host}, pid {report.listener.pid}) has not confirmed the subscription."
    )
