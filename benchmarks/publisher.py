"""The publisher: a process of its own that does as little as possible, so that it is not what is measured.

    python -m benchmarks.publisher PORT PREFIX CHANNELS SIZE FIRST COUNT RATE

All PUBLISH commands are made before the clock starts. It says `ready`, waits for a line, publishes in
pipelines of at most `_PIPELINE`, and answers with one line of JSON (`Published`). RATE 0 is unthrottled.
"""

import json
import socket
import sys
import time
from dataclasses import asdict, dataclass

from benchmarks.load import Load, Shape

_PIPELINE = 500
_TICK_SECONDS = 0.005
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Published:
    """What was done. Times are seconds since 1970; `unheard` messages had no subscriber at all."""

    began_at: float
    ended_at: float
    count: int
    unheard: int
    cpu_seconds: float


def main(port: int, load: Load) -> Published:
    """Publish the whole load."""
    commands = [command(load.shape, id) for id in load.ids]
    with socket.create_connection(("127.0.0.1", port)) as redis:
        redis.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("ready", flush=True)
        sys.stdin.readline()
        cpu, began, sent, unheard = time.process_time(), time.time(), 0, 0
        while sent < load.count:
            due = load.count
            if load.rate:
                # Once in each tick: in many small pipelines a message costs Redis three times as much.
                passed = time.time() - began
                due = min(due, int(passed * load.rate) + 1)
                time.sleep(_TICK_SECONDS - passed % _TICK_SECONDS)
            while sent < due:
                end = min(due, sent + _PIPELINE)
                unheard += publish(redis, commands[sent:end])
                sent = end
        return Published(began, time.time(), sent, unheard, time.process_time() - cpu)


def command(shape: Shape, id: int) -> bytes:
    """PUBLISH in the Redis protocol."""
    channel, text = shape.channel(id).encode(), shape.text(id)
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(channel), channel, len(text), text)


def publish(redis: socket.socket, commands: list[bytes]) -> int:
    """Publish these and wait for all replies; how many had no subscriber."""
    redis.sendall(b"".join(commands))
    replies = b""
    while replies.count(b"\n") < len(commands):
        data = redis.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("Redis ended the publisher's connection.")
        replies += data
    return replies.count(b":0\r\n")


if __name__ == "__main__":
    port, prefix, *numbers, rate = sys.argv[1:]
    channels, size, first, count = map(int, numbers)
    load = Load(Shape(prefix, channels, size), first, count, float(rate) or None)
    print(json.dumps(asdict(main(int(port), load))), flush=True)
