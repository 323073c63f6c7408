"""Whether a whole Relay relays: what is published is stored, or lies in a recorded gap."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tests.acceptance.stack import Stack

Wait = Callable[..., None]

REPLACED_SECONDS = 10.0
"""So long it is promised to take until another one leads (docs/guarantees.md)."""
AGAIN_SECONDS = 40.0
"""So long a whole process may take to come back, on a machine that others need as well."""

_MOMENT = timedelta(milliseconds=1)


def relays(stack: Stack, channel: str, text: str, wait_until: Wait) -> None:
    """A message that is published once, now, is stored."""
    assert stack.redis.publish(channel, text), f"nobody hears {channel}"
    wait_until(lambda: text in stack.texts(channel), seconds=AGAIN_SECONDS, what=f"{text} stored")


def relays_again(stack: Stack, channel: str, text: str, wait_until: Wait) -> None:
    """A message that is published while all come back is stored, once.

    Who hears it first need not have led yet, and right after a fault nobody may hear it. Then it lies in a
    gap, and is published again. It is not where it is neither stored nor recorded: that is a loss.
    """
    tries: list[tuple[datetime, datetime]] = []

    def is_stored() -> bool:
        if not tries or is_recorded(stack, channel, *tries[-1]):
            began = datetime.now(UTC)
            stack.redis.publish(channel, text)
            tries.append((began, datetime.now(UTC)))
        return text in stack.texts(channel)

    wait_until(lambda: stack.is_active(channel), seconds=AGAIN_SECONDS, what=f"{channel} ACTIVE")
    wait_until(is_stored, seconds=AGAIN_SECONDS, what=f"{text} stored")


def is_recorded(stack: Stack, channel: str, since: datetime, until: datetime) -> bool:
    """Whether a gap that nobody else heard says that what was published then may be missing."""
    moment = {"since": since.isoformat(), "until": (until + _MOMENT).isoformat()}
    answer = stack.http.get("/api/v1/gaps", params={"channel": channel, **moment})
    assert answer.status_code == 200, answer.text
    return any(not gap["covered"] for gap in answer.json()["results"])
