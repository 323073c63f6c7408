"""How one data connection begins, and that it leads to the server that takes writes.

Beginning: its internal channels are subscribed first. Then Redis is asked, on the connection for
commands, for its counter of ticks, the highest epoch, the policies in force and the number of the last
echo (`Locate`). Only after the answer the channels are subscribed. So every message comes after that
place in the order, and a tick up to that number is no news, whoever publishes it again. Ticks that come
before the answer are kept until it is known which of them are. An echo that comes before it concerns
nobody here, but is known.

Two servers: after a failover the two connections may lead to different ones. A replica passes on what
its primary publishes, so it is heard there for a while. A standby drops its data connection at once, a
leader once a standby has moved, or after `_MOVE_SECONDS`. While they lead to two servers nothing is
located, and nothing is proved.
"""

from typing import Final

from relaycore.capturing.capture import Controlled, Event, Ticked
from relaycore.capturing.notices import Echo
from relaycore.capturing.ticks import Tick
from relaycore.listening.effects import Ask, Drop, Effect, Locate
from relaycore.refusals import Refusal, classify

_LOCATE_SECONDS: Final = 0.3
_MOVE_SECONDS: Final = 2.0
_CONNECT_EVERY_SECONDS: Final = 0.5


class Attachment:
    """The two connections of one listener.

    is_early:    there is a data connection, and it is not known yet where it stands in the order
    newest_echo: the highest number of an echo's notice that was heard meanwhile
    """

    def __init__(self) -> None:
        self.newest_echo = 0
        self._connection = b""
        self._early: list[Tick] | None = None
        self._locates_at = 0.0
        self._server = self._command_server = self._writes_to = ""
        self._is_dropped = False
        self._is_misled = False
        self._connects_at = float("-inf")
        self._moves_at: float | None = None

    @property
    def is_early(self) -> bool:
        """Whether it is not known yet which ticks are news."""
        return self._early is not None

    @property
    def is_sound(self) -> bool:
        """Whether both connections lead to one server."""
        return bool(self._server) and self._server == self._command_server

    def connected(self, connection: bytes, now: float) -> None:
        """There is a data connection; it has a name of its own."""
        self._connection, self._server = connection, ""
        self._is_dropped = False
        self._early = []
        self.newest_echo = 0
        self._locates_at = now

    def disconnected(self) -> None:
        """It has ended."""
        self._server = ""
        self._early = None

    def data_leads_to(self, server: str) -> None:
        """The data connection leads to this server."""
        if not self._is_dropped:
            self._server = server

    def commands_lead_to(self, server: str) -> bool:
        """The connection for commands leads to this server, to none if it is empty; whether that is new."""
        self._command_server = server
        is_other = bool(server) and server != self._writes_to
        if is_other:
            self._writes_to = server
        return is_other

    def fails(self, error: str) -> bool:
        """Redis has answered a command with this error; whether it is the wrong server."""
        if classify(error) is not Refusal.WRONG_SERVER:
            return False
        self._is_misled = True
        return True

    def keeps(self, event: Event) -> bool:
        """Whether this is a tick, or an echo, and kept until it is known whether it is news."""
        match event:
            case Ticked(tick) if self._early is not None:
                self._early.append(tick)
            case Controlled(Echo() as notice):
                self.newest_echo = max(self.newest_echo, notice.number)
            case _:
                return False
        return True

    def located(self, connection: bytes, number: int | None) -> list[Tick] | None:
        """Redis' counter of ticks was this; the ticks that were news since, None if it is not an answer."""
        if number is None or connection != self._connection or self._early is None:
            return None
        news = [tick for tick in self._early if tick.number > number]
        self._early = None
        return news

    def turn(self, now: float, *, is_attached: bool, gives_way: bool) -> list[Effect]:
        """What the connections need.

        `is_attached`: the internal channels are subscribed; `gives_way`: nothing is lost if this
        listener hears nothing for a moment.
        """
        needed: list[Effect] = []
        if self._is_misled and now >= self._connects_at:
            self._is_misled = False
            self._connects_at = now + _CONNECT_EVERY_SECONDS
            needed.append(Ask.CONNECT)
        if self.is_sound:
            self._moves_at = None
            if self._early is not None and is_attached and now >= self._locates_at:
                self._locates_at = now + _LOCATE_SECONDS
                needed.append(Locate(self._connection))
        elif self._server and self._command_server:
            needed += self._move(now, gives_way=gives_way)
        return needed

    def _move(self, now: float, *, gives_way: bool) -> list[Effect]:
        if self._moves_at is None:
            self._moves_at = now + _MOVE_SECONDS
        if not gives_way and now < self._moves_at:
            return []
        self._moves_at = None
        self._server = ""
        self._is_dropped = True
        return [Drop("it leads to another server than the one that takes writes.")]
