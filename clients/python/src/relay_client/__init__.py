"""The client library of Relay: publish to channels, subscribe to them, administer them, read what is stored.

    Producer, AsyncProducer   publish, in batches that are sent again until Relay has them, and stored once
    Consumer, AsyncConsumer   take the messages of a subscription, until the program has said they are done
    Client, AsyncClient       ask and administer: `client.channels`, `client.messages`, `client.subscriptions`
    Live, AsyncLive           see messages as they are stored, over any break: `client.live(…)`
    verify                    whether a webhook is Relay's, and which messages it brings
    RelayError                everything that they raise (`errors` draws the tree)

How it is made
    Decisions are apart from I/O, and the same for threads and asyncio: `publishing` decides what is sent when
    and what an answer means for a batch, `subscribing` what is fetched, committed, acked and extended when;
    `calls` and `answers` what requests and answers look like, `backoff` how long to wait. They know no clock,
    no chance, no socket, no lock. `watching` decides where a reader of live messages stands, `receiving`
    whether a webhook is Relay's. Around them are thin shells: `connections` and `streams` do the requests,
    `publishing.producer` and `subscribing.consumer` have the threads, `publishing.async_producer` and
    `subscribing.async_consumer` the tasks, `watching.live` and `watching.async_live` the waiting.

What is promised
    A message that is sent is stored once, or its `Undelivered` says that it may be stored or is not. Order is
    kept within a channel, as long as nothing of it is refused or given up. A message that is taken comes
    again until the program has said that it is done. Memory is bounded. The key of a token and the texts of
    messages are in no log, error or repr.

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
    BadWebhook,
    BufferFull,
    ChangedMeanwhile,
    Closed,
    Conflict,
    CursorMoved,
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
from relay_client.receiving.rows import Webhook
from relay_client.receiving.verifying import verify
from relay_client.rows import UNCHANGED, Channel, Gap, Lease, Message, Page, Started
from relay_client.subscribing.async_consumer import AsyncConsumer
from relay_client.subscribing.consumer import Consumer
from relay_client.subscribing.notices import Away, Lost, Moved, Notice
from relay_client.subscribing.pace import Pace
from relay_client.subscribing.rows import (
    Committed,
    DeadLetter,
    Done,
    Fetched,
    Lag,
    NotGiven,
    Settled,
    Skipped,
    Sought,
    Subscription,
)
from relay_client.subscribing.taken import Taken
from relay_client.version import __version__
from relay_client.watching.async_live import AsyncLive
from relay_client.watching.live import Live
from relay_client.watching.rows import CaughtUp, Reset

__all__ = [
    "UNCHANGED",
    "ApiError",
    "AsyncClient",
    "AsyncConsumer",
    "AsyncLive",
    "AsyncProducer",
    "Away",
    "BadAnswer",
    "BadMessage",
    "BadRequest",
    "BadWebhook",
    "BufferFull",
    "CaughtUp",
    "ChangedMeanwhile",
    "Channel",
    "Client",
    "Closed",
    "Committed",
    "Conflict",
    "Consumer",
    "CursorMoved",
    "DeadLetter",
    "Done",
    "Fetched",
    "Forbidden",
    "Gap",
    "Lag",
    "Lease",
    "Limits",
    "Live",
    "Lost",
    "Message",
    "Moved",
    "NotFound",
    "NotGiven",
    "Notice",
    "Pace",
    "Page",
    "Producer",
    "Receipt",
    "RelayError",
    "Reset",
    "Settled",
    "Skipped",
    "Sought",
    "Started",
    "Subscription",
    "Taken",
    "Throttled",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Undelivered",
    "Unreachable",
    "Webhook",
    "__version__",
    "verify",
]
