"""What a good engineer writes first: Socket.IO, with python-socketio as it is.

uvicorn socketio_emit:app, with REDIS_URL, CHANNEL and TOKEN in the environment.
"""

import asyncio
import os
import secrets
from datetime import UTC, datetime
from typing import Any

import redis.asyncio as redis
import socketio

CHANNEL = os.environ["CHANNEL"]

server = socketio.AsyncServer(async_mode="asgi")
tasks: list[asyncio.Task[None]] = []


@server.event
async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str]) -> None:
    if not secrets.compare_digest(auth["token"], os.environ["TOKEN"]):
        raise ConnectionRefusedError("not authorized")
    await server.enter_room(sid, CHANNEL)


async def listen(pubsub: redis.client.PubSub) -> None:
    id = 0
    async for told in pubsub.listen():
        if told["type"] == "message":
            id += 1
            at = datetime.now(UTC).isoformat()
            row = {"id": id, "channel": CHANNEL, "received_at": at, "message": told["data"]}
            await server.emit("message", (row, id), room=CHANNEL)


async def start() -> None:
    client = redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=None)
    pubsub = client.pubsub()
    await pubsub.subscribe(CHANNEL)
    tasks.append(asyncio.create_task(listen(pubsub)))


app = socketio.ASGIApp(server, on_startup=start)
