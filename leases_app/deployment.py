"""Which deployment this is, and that all its processes are of it.

A deployment is a PostgreSQL database, the streams in a Redis database, and a secret. Its
identity is made by chance once, and stands in PostgreSQL and beside the stream.

* Redis's Pub/Sub has one space for all its databases. So the internal channels carry the
  identity: listeners of another deployment hear none of ours, and count for nothing here.
* Two deployments on one Redis database would mix their streams: whoever comes second is refused.
  A copy of a deployment's PostgreSQL is the same deployment, until it adopts a Redis of its own.
* What is said on the internal channels is sealed with the secret. A process with another one would
  look like a listener and understand nothing, so it is refused, as one with another number of
  partitions is. A digest of the secret is recorded for that.
"""

import contextlib
import secrets
from typing import cast

import redis
from django.utils.crypto import constant_time_compare, salted_hmac

from leases_app import layout, partitioning
from leases_app.models import Deployment
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.errors import Disconnected, UnfitServer


def identity() -> str:
    """What tells this deployment from every other one: 32 hexadecimal digits."""
    return recorded().identity


def tick_channel(partition: int) -> str:
    """The Pub/Sub channel of a partition's ticks."""
    return keys.tick_channel(identity(), partition)


def control_channel(partition: int) -> str:
    """The Pub/Sub channel of a partition's notices."""
    return keys.control_channel(identity(), partition)


def news_channel(partition: int) -> str:
    """The Pub/Sub channel of a partition's news."""
    return keys.news_channel(identity(), partition)


def seal_key(partition: int) -> bytes:
    """What seals the ticks, notices and news of a partition: only who knows the secret can lead.

    With the identity and the partition in it, a genuine one from elsewhere is none here.
    """
    return _digest("relay.seal", f"{identity()} {partition}").encode()


def recorded() -> Deployment:
    """What PostgreSQL says; what holds here, if nobody has asked before."""
    new = secrets.token_hex(16)
    row, _ = Deployment.objects.get_or_create(defaults={"identity": new, "secret": fingerprint(new)})
    return row


def fingerprint(identity: str) -> str:
    """What shows whether somebody has the same secret, and nothing of the secret.

    It is as hard to guess from this as from any cookie that Django signs.
    """
    return _digest("relay.secret", identity)


def require() -> None:
    """See that the partitions, the secret, the Redis database and its layout are those of this deployment.

    Raises:
        UnfitServer: one is not.
        Disconnected: Redis does not answer, so nobody knows whose it is.
    """
    own = partitioning.require()
    require_own_servers()
    layout.require(own)


def require_unless_away() -> None:
    """The same for whoever does not begin to hear or to write: a Redis that is away is not refused.

    Raises:
        UnfitServer: the partitions, the secret or the Redis database are not those of this deployment.
    """
    with contextlib.suppress(Disconnected):
        require()


def require_own_servers() -> None:
    """See that the secret and the Redis database are those of this deployment.

    Raises:
        UnfitServer: one is not.
        Disconnected: Redis does not answer, so nobody knows whose it is.
    """
    row = recorded()
    if (why := wrong_secret(row)) is not None:
        raise UnfitServer(why)
    try:
        beside = _mark(row.identity)
    except redis.RedisError as exc:
        raise Disconnected(f"Redis cannot be asked to which deployment it belongs: {exc}") from exc
    if (why := foreign(row.identity, beside)) is not None:
        raise UnfitServer(why)


def wrong_secret(row: Deployment) -> str | None:
    """Why the secret cannot be worked under, by what is recorded; None if it can."""
    if constant_time_compare(row.secret, fingerprint(row.identity)):
        return None
    return (
        "RELAY_SECRET_KEY is not the one with which this deployment works. Set the same one everywhere; "
        "to change it, stop everything and run `manage.py adopt-secret`."
    )


def foreign(own: str, beside: str | None) -> str | None:
    """Why the streams beside which this identity stands are not ours; None if they may be.

    `own`: our identity. `beside`: None if there is none yet.
    """
    if beside in {own, None}:
        return None
    return (
        "This Redis database belongs to another deployment of Relay. Use another database number in "
        "REDIS_URL; if it is this deployment's own, restored, run `manage.py adopt-redis` while nothing runs."
    )


def beside_stream() -> str | None:
    """The identity that stands beside the streams in this Redis; None if there is none yet.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = cast("bytes | None", shared_redis().get(keys.DEPLOYMENT))
    return None if found is None else found.decode(errors="replace")


def adopt_secret() -> bool:
    """Work with this RELAY_SECRET_KEY from now on, while nothing runs; False if that is so already."""
    row = recorded()
    if wrong_secret(row) is None:
        return False
    Deployment.objects.update(secret=fingerprint(row.identity))
    return True


def adopt_redis() -> None:
    """Be one deployment with this Redis database from now on, while nothing runs, under a new identity.

    A new one, since the one before may be somebody else's as well: PostgreSQL may be a copy.

    Raises:
        UnfitServer: another deployment listens to this Redis database, or the secret is another one.
        redis.RedisError: Redis does not answer. Once it does, this is to be done again.
    """
    row, beside, client = recorded(), beside_stream(), shared_redis()
    if (why := wrong_secret(row)) is not None:
        raise UnfitServer(why)
    if beside not in {row.identity, None} and client.pubsub_channels(keys.internal_channels(beside)):
        raise UnfitServer("The deployment to which this Redis database belongs is listening: it is alive.")
    new = secrets.token_hex(16)
    Deployment.objects.update(identity=new, secret=fingerprint(new))
    client.set(keys.DEPLOYMENT, new)


def _mark(own: str) -> str | None:
    """The identity beside the streams: ours from now on, if there was none."""
    if (found := beside_stream()) is not None:
        return found
    # One that takes no writes now (it is full) belongs to nobody yet.
    with contextlib.suppress(redis.ResponseError):
        shared_redis().set(keys.DEPLOYMENT, own, nx=True)
    return beside_stream()


def _digest(purpose: str, value: str) -> str:
    return salted_hmac(purpose, value, algorithm="sha256").hexdigest()
