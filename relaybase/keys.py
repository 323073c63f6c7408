"""The only module that spells Redis keys and internal channels.

All keys of a partition carry its hash tag, so a Redis Cluster keeps them on one node
and one script or transaction may use them together. Channels of Pub/Sub know no database numbers:
the internal ones carry the deployment's identity, so that those of another one are nobody's here.
"""

from relaycore.channels import INTERNAL_PREFIX, STREAM

GROUP = "writers"
"""The consumer group through which the writers read the stream."""

CONSUMER = "writer"
"""All writers of a partition have one name: what one left pending is the next one's at once."""

LEGACY_CHANNEL = STREAM
"""The Pub/Sub channel on which consumers of the older kind hear each message as JSON."""


JOURNAL = f"{STREAM}:journal"
"""The last warnings and errors of all processes (`relaybase.journal`)."""

PUBLISHED = f"{STREAM}:published"
"""A hash: how much was published by HTTP, by whom and where (`messages_app.publishing.usage`)."""

DEPLOYMENT = f"{STREAM}:deployment"
"""The identity of the deployment to which the streams belong (`leases_app.deployment`)."""

WATCHING = f"{STREAM}:watching"
"""A list: the keys of `watching`, the one that was written last first."""


def watching(process: str) -> str:
    """JSON: how many watch each channel live in a process (`relaybase.redis.presence`)."""
    return f"{STREAM}:watching:{process}"


def stream(partition: int) -> str:
    """The stream of a partition."""
    return f"{STREAM}:{{{partition}}}"


def appended(partition: int) -> str:
    """A hash: how far the running numbers of appended messages have come, and what is stored of them.

    And how often followers were told of it (`told`).
    """
    return f"{STREAM}:{{{partition}}}:appended"


def layout(partition: int) -> str:
    """The layout to which the stream of a partition belongs (`relaycore.layout`)."""
    return f"{STREAM}:{{{partition}}}:layout"


def tick_counter(partition: int) -> str:
    """Counts the ticks of a partition."""
    return f"{STREAM}:{{{partition}}}:ticks"


def echoes(partition: int) -> str:
    """The number of the last notice of an echo in a partition (`relaycore.capturing.notices`)."""
    return f"{STREAM}:{{{partition}}}:echoes"


def confirmed_tick(partition: int) -> str:
    """A hash: the last tick up to which everything heard is on the stream.

    And two numbers that only grow: the highest epoch of all ticks (`term`), and how many writes of the
    lease PostgreSQL has acknowledged (`writes`).
    """
    return f"{STREAM}:{{{partition}}}:confirmed"


def fence(partition: int) -> str:
    """A hash: who alone may append what rules say, by shard (`relaybase.redis.fencing`)."""
    return f"{STREAM}:{{{partition}}}:fence"


def policies(partition: int) -> str:
    """A hash: the policies in force in a partition that are not `content`, as JSON, by channel."""
    return f"{STREAM}:{{{partition}}}:policies"


def standbys(partition: int) -> str:
    """A hash: the last tick up to which a standby has proved to be whole, by standby."""
    return f"{STREAM}:{{{partition}}}:standbys"


def stored(partition: int) -> str:
    """A hash: messages stored in MongoDB, by channel."""
    return f"{STREAM}:{{{partition}}}:stored"


def expired(partition: int) -> str:
    """A hash: how many expired messages were subtracted from what is stored, in all, by channel."""
    return f"{STREAM}:{{{partition}}}:expired"


def tallies(partition: int) -> str:
    """A list: what acknowledged entries have brought, before it is added to the counts."""
    return f"{STREAM}:{{{partition}}}:tallies"


def last_at(partition: int) -> str:
    """A hash: when the newest stored message was received (ms since 1970), by channel."""
    return f"{STREAM}:{{{partition}}}:last_at"


def rates(partition: int) -> str:
    """What the keys of counts by time begin with (`relaybase.rates`)."""
    return f"{STREAM}:{{{partition}}}:rates"


def meters(partition: int) -> str:
    """A hash: what the loops of a partition have counted (`relaybase.meters`)."""
    return f"{STREAM}:{{{partition}}}:meters"


def suspect(partition: int) -> str:
    """The position of a message that is tried by itself because it may kill its writer."""
    return f"{STREAM}:{{{partition}}}:suspect"


def bucket(name: str, who: str) -> str:
    """How many messages `who` may still publish by HTTP (`messages_app.publishing.limits`)."""
    return f"{STREAM}:bucket:{name}:{who}"


def requests(who: str, window: int) -> str:
    """Counts the requests of a token or a user to the API in one window of time."""
    return f"{STREAM}:requests:{who}:{window}"


def tick_channel(deployment: str, partition: int) -> str:
    """The Pub/Sub channel of a partition's ticks."""
    return f"{INTERNAL_PREFIX}:{deployment}:{{{partition}}}:tick"


def control_channel(deployment: str, partition: int) -> str:
    """The Pub/Sub channel on which a partition's listeners get notices (`relaycore.capturing.notices`)."""
    return f"{INTERNAL_PREFIX}:{deployment}:{{{partition}}}:control"


def news_channel(deployment: str, partition: int) -> str:
    """The Pub/Sub channel on which followers are told what is stored (`relaycore.following.news`)."""
    return f"{INTERNAL_PREFIX}:{deployment}:{{{partition}}}:news"


def internal_channels(deployment: str) -> str:
    """A pattern of all internal channels of a deployment."""
    return f"{INTERNAL_PREFIX}:{deployment}:*"
