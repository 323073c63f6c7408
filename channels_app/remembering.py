"""What a channel is, from memory (`relaybase.postgres.remembering`): for what publishes, and who watches.

What changes of a channel, or ends it, changes the mark (`models.ChannelsMark`), and counts within a second.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from channels_app.models import Channel, ChannelsMark
from channels_app.validators import usable_policy
from relaybase.postgres.remembering import Remembering
from relaycore.channels import MAX_NAME_BYTES
from relaycore.policy import Policy


@dataclass(frozen=True, slots=True)
class KnownChannel:
    """A row of the channel table: its id, its name, and the partition in which it stands.

    policy:    what makes two messages the same
    listen:    what Redis publishes on the channel of this name is heard
    republish: what is published by HTTP goes out to Redis' own subscribers too
    public:    whoever comes may watch it live
    broadcast: the event by which it goes to every socket; empty: by none
    """

    id: int
    channel: str
    partition: int
    policy: Policy
    listen: bool
    republish: bool
    public: bool = False
    broadcast: str = ""


class RememberedChannels(Remembering[str, KnownChannel]):
    """For one process. `known` and `find` may be called from any thread."""

    subject: ClassVar[str] = "which channels there are"
    thread: ClassVar[str] = "channels"

    def known(self, name: str) -> KnownChannel | None:
        """The channel of this name, if it is remembered.

        Raises:
            Disconnected: for too long PostgreSQL has confirmed nothing.
        """
        return self.recall(name)

    async def find(self, name: str) -> KnownChannel | None:
        """The channel of this name, by PostgreSQL; remembered from now on. None: there is none.

        Raises:
            Disconnected: it does not answer.
        """
        return await self.learn(name) if _is_askable(name) else None

    def _read_mark(self) -> object:
        return ChannelsMark.objects.values_list("mark", flat=True).first()

    def _read(self, keys: Sequence[str]) -> dict[str, KnownChannel]:
        rows = Channel.objects.filter(channel__in=keys)
        columns = ("id", "channel", "partition", "deduplicate", "listen", "republish", "public", "broadcast")
        return {
            name: KnownChannel(id, name, partition, usable_policy(name, deduplicate), *flags)
            for id, name, partition, deduplicate, *flags in rows.values_list(*columns)
        }


Broadcasts = Mapping[str, str]
"""Channels, and the event by which each goes to every socket."""


class RememberedBroadcasts(Remembering[str, Broadcasts]):
    """For one process. `known` and `find` may be called from any thread."""

    subject: ClassVar[str] = "which channels go to every socket"
    thread: ClassVar[str] = "broadcasts"

    def known(self) -> Broadcasts | None:
        """Those that there are, if they are remembered.

        Raises:
            Disconnected: for too long PostgreSQL has confirmed nothing.
        """
        return self.recall(_ALL)

    async def find(self) -> Broadcasts:
        """Those that there are, by PostgreSQL; remembered from now on.

        Raises:
            Disconnected: it does not answer.
        """
        return await self.learn(_ALL) or {}

    def _read_mark(self) -> object:
        return ChannelsMark.objects.values_list("mark", flat=True).first()

    def _read(self, keys: Sequence[str]) -> dict[str, Broadcasts]:
        rows = Channel.objects.filter(public=True).exclude(broadcast="").order_by("channel")
        return {key: dict(rows.values_list("channel", "broadcast")) for key in keys}


_ALL: Final = "all"


def _is_askable(name: str) -> bool:
    """Whether a row may have this name. PostgreSQL has no text with NUL or half a surrogate pair in it.

    One name that cannot be asked for would fail all who are in the same question.
    """
    try:
        return 1 <= len(name.encode()) <= MAX_NAME_BYTES and "\0" not in name
    except UnicodeEncodeError:
        return False
