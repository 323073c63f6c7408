"""How many requests to hot endpoints one token may send in a minute: `throttling`, without a thread."""

import time

import redis
from django.conf import settings

from relaybase import keys
from relaybase.connections import async_redis
from relaybase.http.throttling import WINDOW_SECONDS, Allowance


async def count(who: str) -> Allowance | None:
    """Count a request; what is left. None: there is no limit, or Redis does not answer."""
    limit = settings.RELAY_WEB_HOT_REQUESTS_PER_MINUTE
    if not limit:
        return None
    window, into = divmod(time.time(), WINDOW_SECONDS)
    key = keys.requests(f"hot:{who}", int(window))
    client = async_redis()
    try:
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.incr(key)
            pipeline.expire(key, 2 * WINDOW_SECONDS)
            counted = int((await pipeline.execute())[0])
    except redis.ResponseError:
        # Such as that this server is a replica by now. The next connection may lead to another one.
        await client.connection_pool.disconnect(inuse_connections=False)
        return None
    except redis.RedisError:
        return None
    return Allowance.after(counted, limit, into)
