"""From the body of a request to documents for the stream."""

import asyncio
import functools
import itertools
import os
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self

from django.conf import settings

from channels_app.remembering import KnownChannel
from relaycore import envelope
from relaycore.errors import BadBody, BadMessage, TooMuchAtOnce
from relaycore.identity import PublishedKey, make_published_key
from relaycore.outbound import hops
from relaycore.policy import Policy
from relaycore.publishing import parsing, producers
from relaycore.publishing.parsing import MOST_BYTES, MOST_MESSAGES, Message

_INLINE_BYTES: Final = 32 << 10
"""A larger body is taken apart in a thread: what else goes on here would wait for a millisecond."""

_CHANCE_BYTES: Final = 16

_GZIP: Final = 31
"""zlib's number for gzip's format."""

_STEP_BYTES: Final = 16 << 10
"""So much is unpacked at once. zlib copies what it is given beyond the end of a piece."""

_MOST_PIECES: Final = MOST_MESSAGES
"""Each message may be packed by itself. Pieces with nothing in them have no size once they are unpacked, and
800,000 of them go into a body: the thread would take five seconds for it, and everybody else would wait.
"""

# One at a time: of many large ones at once each would only be slower, and take its memory.
_thread: Final = ThreadPoolExecutor(1, "published")


@dataclass(frozen=True, slots=True)
class Producer:
    """Who publishes. `who` identifies it for ever, `name` is shown."""

    who: str
    name: str

    @classmethod
    def client(cls, kind: str, id: int | None, name: str) -> Self:
        """Not Relay itself. `kind`: `token` or `user`; `id`: of that."""
        return cls(f"{kind}:{id}", producers.client(kind, name))


@dataclass(frozen=True, slots=True)
class Body:
    """What came.

    media_type: one of `parsing.FORMS`
    key:        the idempotency key of the request, if any
    hops:       so often webhooks have sent it (`relaycore.outbound.hops`); 0: none has
    """

    media_type: str
    content: bytes
    is_packed: bool
    key: str | None
    hops: int = 0


class Chance:
    """What nobody else has. Not to be taken along by a fork: each event loop has its own."""

    def __init__(self) -> None:
        self._own = os.urandom(_CHANCE_BYTES)
        self._numbers = itertools.count()

    def draw(self) -> bytes:
        """Something that was never drawn before, and cannot be guessed once it is hashed."""
        return self._own + next(self._numbers).to_bytes(8)


async def take(body: Body, channel: KnownChannel, producer: Producer, chance: Chance) -> "Taken":
    """The documents of all of it. `chance`: for what has no identity of its own.

    Raises:
        BadBody, BadMessage, MessageTooLarge, TooMuchAtOnce: as `parsing.parse`.
    """
    if len(body.content) <= _INLINE_BYTES and not body.is_packed:
        return _take(body, channel, producer, chance)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_thread, _take, body, channel, producer, chance)


@dataclass(frozen=True, slots=True)
class Taken:
    """The documents of a request, and their payloads. `received_at`: in ms since 1970."""

    documents: list[bytes]
    payloads: list[bytes]
    received_at: int


def _take(body: Body, channel: KnownChannel, producer: Producer, chance: Chance) -> Taken:
    content = _unpacked(body.content) if body.is_packed else body.content
    messages = parsing.parse(body.media_type, content, settings.RELAY_MESSAGE_MAX_BYTES)
    identities = [_identity(message.id, body.key, index, chance) for index, message in enumerate(messages)]
    received_at = time.time_ns() // 1_000_000
    if body.hops:
        messages = [one._replace(attributes=hops.counted(one.attributes, body.hops)) for one in messages]
    documents = _documents(messages, identities, channel, producer, received_at)
    return Taken(documents, [message.payload for message in messages], received_at)


def _documents(
    messages: Sequence[Message],
    identities: Sequence[bytes],
    channel: KnownChannel,
    producer: Producer,
    received_at: int,
) -> list[bytes]:
    key_of, encode = _tools(channel.channel, channel.policy, producer.who)
    timestamp = envelope.timestamp(received_at)
    documents = []
    for index, message in enumerate(messages):
        try:
            documents.append(
                encode(
                    key_of(message.payload, identities[index]),
                    message.payload,
                    timestamp,
                    attributes=message.attributes,
                    content_type=message.content_type,
                    produced_by=producer.name,
                )
            )
        except BadMessage as exc:
            raise BadMessage(f"Message {index}: {exc}", index) from None
    return documents


@functools.lru_cache(maxsize=1024)
def _tools(channel: str, policy: Policy, who: str) -> tuple[PublishedKey, Callable[..., bytes]]:
    """What computes the keys of what he publishes there, and what builds the documents."""
    name = channel.encode()
    return make_published_key(policy, name, who.encode()), envelope.Encoder(name).encode_published


def _identity(id: str | None, key: str | None, index: int, chance: Chance) -> bytes:
    """What makes a message the same for its publisher. No form of it is another one's."""
    if id is not None:
        return b"i" + id.encode()
    if key is not None:
        return b"k" + index.to_bytes(4) + key.encode()
    return b"c" + chance.draw()


def _unpacked(content: bytes) -> bytes:
    """What gzip has packed, in one piece or in several, as far as a body may go.

    Raises:
        BadBody: it is not what gzip packs.
        TooMuchAtOnce: it is too large once it is unpacked, or has too many pieces.
    """
    found, rest = bytearray(), memoryview(content)
    try:
        for _ in range(_MOST_PIECES):
            rest = _unpack_piece(found, rest)
            # What only fills up behind it is let be, as by gzip itself.
            if not rest or (rest[0] == 0 and not bytes(rest).strip(b"\0")):
                return bytes(found)
    except (EOFError, zlib.error):
        raise BadBody("The body is not what gzip packs, though Content-Encoding says so.") from None
    raise TooMuchAtOnce(f"The body is packed in more than {_MOST_PIECES} pieces. Pack all of it in one.")


def _unpack_piece(found: bytearray, rest: memoryview) -> memoryview:
    """Add what the first piece has in it; what stands behind that piece."""
    piece = zlib.decompressobj(wbits=_GZIP)
    while not piece.eof:
        if not rest:
            raise EOFError
        given = rest[:_STEP_BYTES]
        found += piece.decompress(given, MOST_BYTES + 1 - len(found))
        if len(found) > MOST_BYTES:
            raise TooMuchAtOnce(f"The body may have at most {MOST_BYTES} bytes once it is unpacked.")
        rest = rest[len(given) - len(piece.unused_data) - len(piece.unconsumed_tail) :]
    return rest
