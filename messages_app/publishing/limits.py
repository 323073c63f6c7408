"""How many messages a second a producer may publish, and a channel may get: token buckets in Redis.

A bucket holds what may come within `BURST_SECONDS`, and fills all the time. A request is taken as long as its
buckets are not empty, also if it brings more than they hold: then they are in debt, and the next ones wait
until that is paid. So a request of any size passes, and the mean is what was set. What is refused takes
nothing.

They stand in Redis, so that all web processes count together, and are asked only where there is a limit.
Where Redis does not answer, nobody is refused here.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from messages_app.publishing.line import Line
from relaybase import keys

BURST_SECONDS: Final = 10

# KEYS: the buckets. ARGV: how many messages; for each bucket its rate and what it holds. The answer: for each
# what is in it afterwards, and before all of them whether all had something.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local has_all, found = 1, {}
for i, key in ipairs(KEYS) do
  local rate, most = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local known = redis.call('HMGET', key, 'left', 'at')
  local left, at = tonumber(known[1]) or most, tonumber(known[2]) or now
  found[i] = math.min(most, left + math.max(0, now - at) * rate)
  if found[i] <= 0 then has_all = 0 end
end
local answer = {has_all}
for i, key in ipairs(KEYS) do
  local rate, most = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local left = found[i] - has_all * tonumber(ARGV[1])
  redis.call('HSET', key, 'left', string.format('%.6f', left), 'at', string.format('%.6f', now))
  redis.call('EXPIRE', key, math.ceil((most - left) / rate) + 1)
  answer[i + 1] = string.format('%.6f', left)
end
return answer
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """What one bucket counts: a word for it, whose it is, and how many messages a second it takes."""

    name: str
    who: str
    per_second: int

    @property
    def most(self) -> int:
        """What the bucket holds."""
        return self.per_second * BURST_SECONDS


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a request was allowed.

    seconds: after so many it may be sent again; 0: it was taken
    headers: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers)
    """

    seconds: int
    headers: Mapping[str, str]


UNLIMITED: Final = Allowed(0, {})
"""Where there is no limit, or Redis does not say."""


async def take(line: Line, limits: list[Limit], messages: int) -> Allowed:
    """Take so many messages out of all buckets, or none out of any."""
    if not limits or not await line.is_ready():
        return UNLIMITED
    names = [keys.bucket(limit.name, limit.who) for limit in limits]
    sizes = [size for limit in limits for size in (limit.per_second, limit.most)]
    reply = await line.ask(("EVAL", _TAKE, len(names), *names, messages, *sizes))
    if not isinstance(reply, list):
        return UNLIMITED
    has_all, left = bool(reply[0]), [float(found) for found in reply[1:]]
    # Until there is something in each of them; or until each is full.
    waits = [_seconds(limit, max(0.0, -found)) for limit, found in zip(limits, left, strict=True)]
    return Allowed(0 if has_all else max(1, *waits), _headers(limits, left))


def _headers(limits: list[Limit], left: list[float]) -> dict[str, str]:
    policies = (f'"{limit.name}";q={limit.most};w={BURST_SECONDS}' for limit in limits)
    found = (
        f'"{limit.name}";r={max(0, int(rest))};t={_seconds(limit, limit.most - rest)}'
        for limit, rest in zip(limits, left, strict=True)
    )
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(found)}


def _seconds(limit: Limit, messages: float) -> int:
    """In how many seconds so many come into the bucket."""
    return math.ceil(messages / limit.per_second)
