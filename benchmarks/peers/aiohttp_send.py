"""Webhooks as aiohttp on uvloop sends them: signed, over kept connections. No archive, no record, no retry."""

import asyncio
import base64
import hmac
import json
import secrets
import ssl
import sys
import time

import aiohttp
import uvloop

SETTINGS = json.loads(sys.argv[1])
BODY = SETTINGS["body"].encode()
KEY = secrets.token_bytes(32)

sent = 0


async def send(session: aiohttp.ClientSession, url: str) -> None:
    global sent  # noqa: PLW0603 -- one counter for all
    sent += 1
    id, at = f"msg_{sent}", int(time.time())
    signed = hmac.digest(KEY, f"{id}.{at}.".encode() + BODY, "sha256")
    headers = {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(at),
        "webhook-signature": "v1," + base64.b64encode(signed).decode(),
    }
    async with session.post(url, data=BODY, headers=headers) as answer:
        await answer.read()
        answer.raise_for_status()


async def send_many(session: aiohttp.ClientSession, url: str, left: list[None]) -> None:
    while left:
        left.pop()
        await send(session, url)


async def main() -> None:
    context = ssl.create_default_context(cafile=SETTINGS["authority"]) if SETTINGS["authority"] else True
    connector = aiohttp.TCPConnector(limit=0, ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            lefts = {url: [None] * int(line) for url in SETTINGS["urls"]}
            await asyncio.gather(
                *(
                    send_many(session, url, left)
                    for url, left in lefts.items()
                    for _ in range(SETTINGS["concurrency"])
                )
            )
            print("done", flush=True)


uvloop.run(main())
