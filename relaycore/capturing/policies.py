"""Which deduplication policy holds for a message: the one that was in force at its place.

A policy begins at a tick. The leader announces what has changed in the table with its next tick
(`Tick.changes`), which all listeners hear among the messages, so they agree on it: a message that a
standby holds keeps the policy under which it was heard, whoever relays it. The step that publishes
the tick also writes the change beside the stream, where who joins later reads what holds (`located`
of `relaycore.listening.protocol`).

`content` holds for a channel of which nothing was announced. So it needs no announcement, and a
channel that is to have another policy is not subscribed before that was announced once.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from relaycore.errors import BadPolicy
from relaycore.policy import CONTENT, Policy, parse

Changes = tuple[tuple[bytes, Policy], ...]

_AT_ONCE: Final = 400
"""So many changes one tick announces at most: some 16 KiB."""


class Policies:
    """What is wanted by the table, and what is in force for whatever is heard next."""

    def __init__(self) -> None:
        self._wanted: dict[bytes, Policy] = {}
        self._in_force: dict[bytes, Policy] = {}
        self._pending: dict[bytes, None] = {}

    def want(self, channel: bytes, policy: Policy) -> None:
        """The table says so."""
        self._wanted[channel] = policy
        self._compare(channel)

    def forget(self, channel: bytes) -> None:
        """The table has it no more."""
        self._wanted.pop(channel, None)
        self._compare(channel)

    def restart(self, in_force: Mapping[bytes, Policy]) -> None:
        """This holds for what is heard from now on."""
        self._in_force = dict(in_force)
        self._pending.clear()
        for channel in self._wanted.keys() | self._in_force.keys():
            self._compare(channel)

    def follow(self, changes: Changes) -> None:
        """A tick that was heard announces these."""
        for channel, policy in changes:
            if policy == CONTENT:
                self._in_force.pop(channel, None)
            else:
                self._in_force[channel] = policy
            self._compare(channel)

    @property
    def all_in_force(self) -> Mapping[bytes, Policy]:
        """Where it is not `content`."""
        return self._in_force

    def in_force(self, channel: bytes) -> Policy:
        """What holds for this channel."""
        return self._in_force.get(channel, CONTENT)

    def waits(self, channel: bytes) -> bool:
        """Whether it is not to be heard yet: what it is to have was never announced."""
        return channel in self._pending and channel not in self._in_force and channel in self._wanted

    def is_pending(self, channel: bytes) -> bool:
        """Whether another policy holds than the table says."""
        return channel in self._pending

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to announce."""
        return not self._pending

    def announce_again(self) -> None:
        """What is in force may stand beside the stream no more."""
        self._pending |= dict.fromkeys(self._in_force)

    def to_announce(self) -> Changes:
        """What the next tick of a leader says."""
        if not self._pending:
            return ()
        channels = [channel for channel, _ in zip(self._pending, range(_AT_ONCE), strict=False)]
        return tuple((channel, self._wanted.get(channel, CONTENT)) for channel in channels)

    def _compare(self, channel: bytes) -> None:
        if self._wanted.get(channel, CONTENT) == self.in_force(channel):
            self._pending.pop(channel, None)
        else:
            self._pending[channel] = None


def written(policy: Policy) -> str:
    """As it stands beside the stream; empty for `content`, which stands nowhere."""
    return "" if policy == CONTENT else json.dumps(policy.as_json())


def read(fields: Iterable[tuple[bytes, bytes]]) -> dict[bytes, Policy]:
    """What stands beside the stream: channel, policy. What is no policy, nobody has announced."""
    found = {}
    for channel, text in fields:
        try:
            found[channel] = parse(json.loads(text))
        except (ValueError, BadPolicy):
            continue
    return found
