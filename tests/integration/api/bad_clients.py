"""`python -m tests.integration.api.bad_clients HOST PORT SECONDS KIND...`: clients of no use, for so long.

slow:       500 that never complete the headers of a request
unfinished: 200 that have no token and never complete a body of 1 MiB
guessing:   8 that guess passwords, one after another, each time of another account and from another address

Whoever is sent away comes back, `BACK_SECONDS` later; who guesses, at once. Prints what they were told: of
each kind, how often which status.
"""

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence

SLOW, UNFINISHED, GUESSING = 500, 200, 8
BACK_SECONDS = 5

_BODY = (
    b"POST /api/v1/start-listening HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n" + b"100000\r\n" + b"x" * ((1 << 20) - 1)
)


_CSRF = b"x" * 32
_FORM = (
    b"POST /admin/login/ HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 198.%s\r\nconnection: close\r\n"
    b"cookie: csrftoken="
    + _CSRF
    + b"\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: %d\r\n\r\n%s"
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


async def _guessing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """A wrong password, by a proxy that is trusted: of an account, and from where, nobody has guessed."""
    form = b"csrfmiddlewaretoken=%s&username=u%d&password=wrong" % (_CSRF, random.randrange(10**9))
    address = b".".join(b"%d" % random.randrange(1, 255) for _ in range(3))
    writer.write(_FORM % (address, len(form), form))
    return await reader.readline()


KINDS = {
    "slow": (_slow, SLOW, BACK_SECONDS),
    "unfinished": (_unfinished, UNFINISHED, BACK_SECONDS),
    "guessing": (_guessing, GUESSING, 0),
}
"""How it is done, by how many at once, and after how many seconds again."""


async def _again_and_again(kind: str, host: str, port: int, until: float, told: Counter[str]) -> None:
    do, _, back = KINDS[kind]
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection(host, port)
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    said = await do(reader, writer)
                told[f"{kind} {said.split()[1].decode() if said else 'closed'}"] += 1
            finally:
                writer.transport.abort()
        except TimeoutError:
            return
        except OSError:
            told[f"{kind} closed"] += 1
        await asyncio.sleep(back)


async def main(host: str, port: int, seconds: float, kinds: Sequence[str]) -> None:
    """Until the time is over."""
    until, told = time.monotonic() + seconds, Counter[str]()
    all_of_them = [kind for kind in kinds for _ in range(KINDS[kind][1])]
    await asyncio.gather(*(_again_and_again(kind, host, port, until, told) for kind in all_of_them))
    print(dict(told))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
