"""`python -m tests.integration.api.bad_clients HOST PORT SECONDS`: clients that are of no use, for so long.

500 that never complete the headers of a request, and 200 that have no token and never complete a body of 1
MiB. Whoever is sent away comes back, `BACK_SECONDS` later. Prints what they were told: how often which
status.
"""

import asyncio
import sys
import time
from collections import Counter

SLOW, UNFINISHED = 500, 200
BACK_SECONDS = 5

_BODY = (
    b"POST /api/v1/start-listening HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * ((1 << 20) - 1)
)


async def _slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """A byte of the headers every second."""
    writer.write(b"GET /api/v1/channels HTTP/1.1\r\nx-slow: ")
    while True:
        writer.write(b"x")
        try:
            return await asyncio.wait_for(reader.readline(), 1)
        except TimeoutError:
            continue


async def _unfinished(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """All of the body but the end."""
    writer.write(_BODY)
    return await reader.readline()


async def _again_and_again(kind: object, host: str, port: int, until: float, told: Counter[str]) -> None:
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    said = await kind(reader, writer)  # type: ignore[operator]
                told[said.split()[1].decode() if said else "closed"] += 1
            finally:
                writer.transport.abort()
        except TimeoutError:
            return
        except OSError:
            told["closed"] += 1
        await asyncio.sleep(BACK_SECONDS)


async def main(host: str, port: int, seconds: float) -> None:
    """Until the time is over."""
    until, told = time.monotonic() + seconds, Counter[str]()
    kinds = [_slow] * SLOW + [_unfinished] * UNFINISHED
    await asyncio.gather(*(_again_and_again(kind, host, port, until, told) for kind in kinds))
    print(dict(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
