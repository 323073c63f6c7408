"""One client, and the answers to what it says."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from rest_framework.exceptions import Throttled

from access_app.remembering import Holder
from channels_app.remembering import Broadcasts
from live.admitting import LEAST_PASSING, NOBODY, SESSION, Watchers
from live.hub import hub
from live.socketio import asked, everybody, protocol
from live.socketio.asked import Auth, Join
from live.socketio.everybody import EVERYBODY, EverybodySeat
from live.socketio.joining import join, require_filter, told_of
from live.socketio.outbox import Outbox, Seat
from live.socketio.protocol import Kind, Said
from relaybase.http.hot import limit
from relaybase.http.hot.application import holder_of, not_valid
from relaycore.live.broadcasts import place


@dataclass(frozen=True, slots=True)
class Came:
    """How a client came: its address, and the key with which it is logged in; empty: it is not."""

    address: str
    session: str


class Leaving(Protocol):
    """How a socket is ended."""

    async def __call__(self, socket: "Socket") -> None: ...


class Socket:
    """One client.

    id:  its own, which Engine.IO has given
    key: with which it was let in; empty: with none. None: it was not yet
    """

    def __init__(self, id: str, outbox: Outbox, came: Came, authority: Watchers, end: Leaving) -> None:
        self.id = id
        self.outbox = outbox
        self.key: str | None = None
        self.began = time.monotonic()
        self.is_gone = self.has_to_go = False
        self._everybody: EverybodySeat | None = None
        self._counted = ""
        self._came = came
        self._authority = authority
        self._end = end
        self._turn = asyncio.Lock()

    async def answer(self, said: Said) -> None:
        """Do what it says: one thing after another, also where it comes by several requests."""
        async with self._turn:
            if said.is_elsewhere:
                if said.kind is Kind.CONNECT:
                    self.outbox.put_nowait(protocol.refused("Invalid namespace", None, said.namespace))
            elif said.kind is Kind.CONNECT and self.key is None:
                await self._connect(said.data)
            elif said.kind is Kind.EVENT and self.key is not None:
                found = await self._event(self.key, said.data[0], said.data[1:])
                if said.number is not None:
                    self.outbox.put_nowait(protocol.answer(said.number, found))
            else:
                # It leaves, or says what is not to be said now.
                await self._end(self)

    def close(self) -> None:
        """It has gone."""
        self.is_gone = True
        _close(self.outbox.seats)
        # A poll that waits is answered.
        self.outbox.put_nowait(None)

    async def sit_anew(self, events: Broadcasts) -> None:
        """Something else goes to every socket now. It goes on where it stood, or with what comes from now on.

        Raises:
            Whatever `everybody.seat` does: then it has none any more.
        """
        before = self._everybody
        if self.key is None or (before.events if before else {}) == events:
            return
        self.outbox.seats.pop(EVERYBODY, None)
        self._everybody, after = None, None if before is None else before.end()
        if not events:
            return
        seat = await everybody.seat(events, self._counted, after)
        if self.is_gone:
            seat.viewer.close()
            return
        self._sit(self.outbox.seats, seat)
        self.outbox.wake()

    async def _connect(self, data: object) -> None:
        """It is connected once all that it was watching before is open again."""
        seats: dict[str, Seat] = {}
        try:
            wanted = asked.auth(data)
            key = self._key(wanted)
            holder = await self._holder(key)
            for one in wanted.joins:
                seats[one.channel] = await self._open(one, holder, key)
            self._counted = self._who(holder)
            pid = await self._sit_among_all(seats, wanted)
        except Exception as exc:
            _close(seats)
            problem = told_of(exc)
            if problem["status"] >= LEAST_PASSING:
                # Who is refused does not come again by himself. Who loses his connection does.
                await self._end(self)
            else:
                self.outbox.put_nowait(protocol.refused(problem["detail"], problem))
            return
        if self.is_gone:
            _close(seats)
            return
        self.key = key
        self.outbox.put_nowait(protocol.connected(secrets.token_urlsafe(15), pid))
        for one in wanted.joins:
            self.outbox.put_nowait(protocol.event("joined", _stands(one.channel, seats[one.channel])))
        self.outbox.seats.update(seats)
        self.outbox.wake()

    async def _sit_among_all(self, seats: dict[str, Seat], wanted: Auth) -> str | None:
        """What goes to all goes to this one as well. What it says when it comes again; None: nothing does."""
        if not (events := await everybody.broadcasts()):
            return None
        after = place(wanted.pid, wanted.offset)
        seat = await everybody.seat(
            events, self._counted, await everybody.beginning() if after is None else after
        )
        self._sit(seats, seat)
        # The same one tells the client that it has missed nothing.
        return str(wanted.pid) if after is not None and seat.goes_on(after) else seat.viewer.owed.place

    def _sit(self, seats: dict[str, Seat], seat: EverybodySeat) -> None:
        seat.viewer.on_wake = self.outbox.wake
        self._everybody = seats[EVERYBODY] = seat

    def _key(self, wanted: Auth) -> str:
        """Empty: it has shown none, and may join what is public."""
        if wanted.token is None:
            return self._came.session
        if wanted.token.startswith(SESSION):
            raise not_valid()
        return wanted.token

    async def _holder(self, key: str) -> Holder:
        holder = cast(Holder, await holder_of(self._authority, key))
        if (allowance := await limit.count(self._who(holder))) is not None and allowance.is_exceeded:
            raise Throttled(allowance.seconds)
        return holder

    def _who(self, holder: Holder) -> str:
        """Whose connections are counted together."""
        return f"address:{self._came.address}" if holder is NOBODY else holder.who

    async def _event(self, key: str, name: str, data: list[Any]) -> Mapping[str, Any]:
        try:
            if name == "join":
                return {"ok": True, "position": await self._join(key, asked.join(data))}
            if name == "leave":
                self._leave(asked.leave(data))
                return {"ok": True}
            raise asked.unknown(name)
        except Exception as exc:
            return {"ok": False, "error": told_of(exc)}

    async def _join(self, key: str, wanted: Join) -> str:
        """Where it stands then. Who has joined already, and says no place, stays where he is."""
        seats = self.outbox.seats
        before = self._stays(wanted)
        if before is not None and before.viewer.wanted.wants == wanted.wants:
            return before.viewer.owed.place
        if wanted.channel not in seats:
            asked.require_room(len(seats.keys() - {EVERYBODY}))
        holder = await self._holder(key)
        if before is not None and self._stays(wanted) is before:
            require_filter(wanted, holder)
            before.viewer.want(wanted.wants)
            return before.viewer.owed.place
        seat = await self._open(wanted, holder, key)
        if self.is_gone:
            seat.viewer.close()
            return ""
        self._leave(wanted.channel)
        seats[wanted.channel] = seat
        self.outbox.wake()
        return seat.viewer.owed.place

    def _stays(self, wanted: Join) -> Seat | None:
        """Where it has joined already, if it stays there."""
        seat = self.outbox.seats.get(wanted.channel)
        is_good = seat is not None and wanted.after is None and seat.viewer.reason is None
        return seat if is_good else None

    async def _open(self, wanted: Join, holder: Holder, key: str) -> Seat:
        hub().rights.authority = self._authority
        seat = await join(wanted, holder, key, self._who(holder))
        seat.viewer.on_wake = self.outbox.wake
        return seat

    def _leave(self, channel: str) -> None:
        seat = self.outbox.seats.pop(channel, None)
        if seat is not None:
            seat.viewer.close()


def _stands(channel: str, seat: Seat) -> Mapping[str, str]:
    return {"channel": channel, "position": seat.viewer.owed.place}


def _close(seats: dict[str, Seat]) -> None:
    for seat in seats.values():
        seat.viewer.close()
    seats.clear()
