"""How anything gets onto a partition's stream: one step for Redis, whoever appends.

Each message that is appended has a running number in its partition. An entry carries the number of
its last message (`relaycore.envelope.F_UPTO`), and beside the stream stands how far they have come. So
whoever reads the stream knows what ought to stand on it: what was deleted, cut off or thrown away
before it was stored is missing in the numbers.

Numbers only grow. A Redis that has lost its data has lost how far they have come too, but whoever
appends knows it still: what it gives as `known` is the least that they go on from. The lease of whoever leads
has it too, up to the last second (`leases_app.models.Lease.appended`), for when nobody is left.

A message whose append was sent again after a lost answer stands there twice, with two numbers.

Whoever appends names the layout that he works under (`relaycore.layout`), and is refused if another one
stands beside the stream. A Redis that has lost its data gets it again with the first entry.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import redis

from relaybase import keys
from relaybase.redis.wire import Argument
from relaycore.envelope import F_UPTO

# A Redis whose memory is full refuses XADD here, since it is the first write; what follows it is let through.
_APPEND: Final = """
local layout = redis.call('GET', KEYS[3])
if layout and layout ~= ARGV[3] then
  return redis.error_reply('LAYOUT here it is ' .. layout .. ', and not ' .. ARGV[3])
end
local upto = math.max(tonumber(redis.call('HMGET', KEYS[2], 'upto')[1]) or 0, tonumber(ARGV[1])) + ARGV[2]
upto = string.format('%.0f', upto)
local id = redis.call('XADD', KEYS[1], '*', ARGV[4], upto, unpack(ARGV, 5))
redis.call('HSET', KEYS[2], 'upto', upto)
if not layout then redis.call('SET', KEYS[3], ARGV[3]) end
return {id, upto}
"""


class Numbers:
    """The highest running number that one appender knows to have been given, as `upto`."""

    def __init__(self) -> None:
        self.upto = 0

    def learn(self, upto: int) -> None:
        """Redis says that it has given this one."""
        self.upto = max(self.upto, upto)


def command(
    partition: int, messages: int, fields: Sequence[Argument], *, layout: str, known: int = 0
) -> tuple[Argument, ...]:
    """The command that appends one entry of so many messages; the answer is its id and their last number.

    fields: names and values, alternately
    layout: as the caller knows it; `LAYOUT ...` is the error if it is another one
    known:  a number that was given already, as far as the caller knows
    """
    beside = (keys.stream(partition), keys.appended(partition), keys.layout(partition))
    return ("EVAL", _APPEND, len(beside), *beside, known, messages, layout, F_UPTO, *fields)


def append(
    client: redis.Redis, partition: int, messages: int, fields: Sequence[Argument], *, layout: str
) -> str:
    """Append one entry of so many messages; its id.

    Raises:
        redis.RedisError: Redis did not take it, or its answer was lost.
    """
    _, script, *rest = command(partition, messages, fields, layout=layout)
    answer = client.eval(str(script), *cast(Any, rest))
    return cast(list[bytes], answer)[0].decode()
