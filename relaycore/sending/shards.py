"""Which sender has an endpoint."""

from hashlib import blake2b


def shard_of(endpoint: int, shards: int) -> int:
    """The shard, from 0, of the endpoint with this id, where there are so many.

    All that hangs on one endpoint is with one sender: its limits, its breaker, its connections. Where the
    number is another one by now, no sender of before may run any more: two would send the same.
    """
    digest = blake2b(endpoint.to_bytes(8, "big"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % shards
