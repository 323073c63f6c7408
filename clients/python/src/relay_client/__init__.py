"""The client library of Relay: publish to channels, administer them, read what is stored.

    Producer, AsyncProducer   publish, in batches that are sent again until Relay has them, and stored once
    Client, AsyncClient       ask and administer: `client.channels`, `client.messages`
    RelayError                everything that they raise (`errors` draws the tree)

How it is made
    Decisions are apart from I/O, and the same for threads and asyncio: `publishing` decides what is sent when
    and what an answer means for a batch, `calls` and `answers` what requests and answers look like,
    `backoff` how long to wait. They know no clock, no chance, no socket, no lock. Around them are thin
    shells: `connections` does the requests, `publishing.producer` has the threads,
    `publishing.async_producer` the tasks.

What is promised
    A message is stored once, or its `Undelivered` says that it may be stored or is not. Order is kept within
    a channel, as long as nothing of it is refused or given up. Memory is bounded. The key of a token and the
    texts of messages are in no log, error or repr.

What is not
    A producer keeps nothing on disk: what it has not delivered when its process dies is lost.
"""

from relay_client.async_client import AsyncClient
from relay_client.client import Client
from relay_client.errors import (
    ApiError,
    BadAnswer,
    BadMessage,
    BadRequest,
    BufferFull,
    ChangedMeanwhile,
    Closed,
    Conflict,
    Forbidden,
    NotFound,
    RelayError,
    Throttled,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Undelivered,
    Unreachable,
)
from relay_client.publishing.async_producer import AsyncProducer
from relay_client.publishing.outgoing import Limits, Receipt
from relay_client.publishing.producer import Producer
from relay_client.rows import UNCHANGED, Channel, Gap, Message, Page, Started
from relay_client.version import __version__

__all__ = [
    "UNCHANGED",
    "ApiError",
    "AsyncClient",
    "AsyncProducer",
    "BadAnswer",
    "BadMessage",
    "BadRequest",
    "BufferFull",
    "ChangedMeanwhile",
    "Channel",
    "Client",
    "Closed",
    "Conflict",
    "Forbidden",
    "Gap",
    "Limits",
    "Message",
    "NotFound",
    "Page",
    "Producer",
    "Receipt",
    "RelayError",
    "Started",
    "Throttled",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Undelivered",
    "Unreachable",
    "__version__",
]
