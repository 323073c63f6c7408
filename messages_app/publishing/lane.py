"""A connection to Redis, and what is appended over it to each partition."""

import re
from collections.abc import Callable

from messages_app.publishing.appending import Appending
from messages_app.publishing.footing import Footing
from messages_app.publishing.line import AWAY, Line
from messages_app.publishing.looking import Looking
from relaycore.errors import Disconnected, NoReplica
from relaycore.publishing.queue import Published
from relaycore.publishing.standing import Stood


class Lane:
    """Of one event loop.

    misfits:       called when another layout stands beside a stream than its footing has
    is_replicated: what is appended here stands once a replica has it as well

    WAIT holds up everything on its connection. So what waits for a replica has a lane of its own.
    """

    def __init__(self, name: str, misfits: Callable[[], object], *, is_replicated: bool = False) -> None:
        self.line = Line(name, self._opened, self._failed)
        self._looking = Looking(self.line)
        self._is_replicated = is_replicated
        self._appending: dict[Footing, Appending] = {}
        self._misfits = misfits

    async def append(self, footing: Footing, published: Published) -> Stood:
        """Where it stands, once it does.

        Raises:
            NoReplica: what is to be confirmed by a replica cannot be, since there is none.
            Disconnected, NotTaken, UnfitServer, redis.ResponseError: as `Appending.append`.
        """
        if self._is_replicated:
            await self._require_replica()
        found = self._appending.get(footing)
        if found is None:
            found = self._appending[footing] = Appending(
                footing, self.line, self._looking, self._misfits, is_replicated=self._is_replicated
            )
        return await found.append(published)

    async def _require_replica(self) -> None:
        if not await self.line.is_ready():
            raise Disconnected(AWAY)
        reply = await self.line.ask(("INFO", "replication"))
        if isinstance(reply, Disconnected):
            raise reply
        if isinstance(reply, Exception) or not re.search(rb"^connected_slaves:[1-9]", reply, re.MULTILINE):
            raise NoReplica("This Redis has no replica that could confirm it. Leave out ?confirm=replicated.")

    def _opened(self) -> None:
        for one in list(self._appending.values()):
            one.turn()

    def _failed(self, why: Disconnected) -> None:
        for one in list(self._appending.values()):
            one.give_up(why)
