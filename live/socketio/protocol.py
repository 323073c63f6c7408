"""What is said on a socket: the packets of Socket.IO 5, read from a client and written to it.

Only the default namespace is spoken, only text, and of a client's packets only those that `Kind` names: no
binary attachments, which would be gathered without end, and no answers, since nothing is asked of a client.
"""

import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from socketio import packet
from socketio.packet import Packet

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Kind(IntEnum):
    """Of what a client says."""

    CONNECT = packet.CONNECT
    DISCONNECT = packet.DISCONNECT
    EVENT = packet.EVENT


class NotUnderstood(ValueError):
    """It is no packet, or none that a client sends here."""


@dataclass(frozen=True, slots=True)
class Said:
    """A packet.

    namespace: as it was written; None: the default one
    number:    by which an answer is expected; None: none is
    data:      of CONNECT, what authenticates; of EVENT, its name and what comes with it
    """

    kind: Kind
    namespace: str | None
    number: int | None
    data: Any

    @property
    def is_elsewhere(self) -> bool:
        """Whether it is for another namespace than the default one."""
        return self.namespace not in {None, "/"}


def is_spoken(text: str) -> bool:
    """Whether a client says this to Engine.IO, which would read whatever stands behind the type as JSON."""
    if text.startswith(_MESSAGE):
        return text[1:2] in _SPOKEN
    return text in _CONTROLS


def read(text: object) -> Said:
    """What a client says.

    Raises:
        NotUnderstood: nothing that is spoken here.
    """
    if not isinstance(text, str) or text[:1] not in _SPOKEN:
        raise NotUnderstood
    try:
        found = Packet(encoded_packet=text)
    except (ValueError, RecursionError):
        raise NotUnderstood from None
    said = Said(Kind(found.packet_type), found.namespace, found.id, found.data)
    if said.kind is Kind.EVENT and not _is_event(said.data):
        raise NotUnderstood
    return said


def connected(sid: str, pid: str | None = None) -> EnginePacket:
    """The client is let in. `pid`: what it says when it comes again (`relaycore.live.broadcasts`)."""
    return _written(Packet(packet.CONNECT, {"sid": sid} | ({} if pid is None else {"pid": pid})))


def refused(message: str, data: Any = None, namespace: str | None = None) -> EnginePacket:
    """The client is not let in: `connect_error`, with a message and its data."""
    told = {"message": message} | ({} if data is None else {"data": data})
    return _written(Packet(packet.CONNECT_ERROR, told, namespace))


def answer(number: int, data: Any) -> EnginePacket:
    """To an event of the client's."""
    return _written(Packet(packet.ACK, [data], id=number))


def dismissed() -> EnginePacket:
    """The client is to leave, and not to come again by itself."""
    return _written(Packet(packet.DISCONNECT))


def event(name: str, *data: Any) -> EnginePacket:
    """An event."""
    return EnginePacket(MESSAGE, event_text(name, *map(_encode, data)))


def event_text(name: str, *written: str) -> str:
    """An event whose data is JSON already."""
    return f'{packet.EVENT:d}["{name}",{",".join(written)}]'


def _written(made: Packet) -> EnginePacket:
    return EnginePacket(MESSAGE, made.encode())


def _is_event(data: Any) -> bool:
    return isinstance(data, list) and bool(data) and isinstance(data[0], str)


_SPOKEN: Final = frozenset(str(int(kind)) for kind in Kind)

_MESSAGE: Final = str(MESSAGE)

_CONTROLS: Final = frozenset({"1", "2probe", "3", "5"})
"""The end, trying a WebSocket, the answer to a ping, changing over."""
