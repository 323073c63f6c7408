"""Redis's clock: that of positions and gaps."""

from typing import Any, cast

import redis


def milliseconds(client: redis.Redis) -> int:
    """What it says now, in ms since 1970.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    seconds, microseconds = cast(Any, client.time())
    return int(seconds) * 1000 + int(microseconds) // 1000
