"""What a good engineer writes first: server-sent events, with Starlette and a queue for each client.

Who comes again is sent what is stored, by a query of its own.

uvicorn starlette_sse:app, with REDIS_URL, MONGO_URL, CHANNEL and TOKEN in the environment.
"""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pymongo
import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

AUTHORIZATION = f"Bearer {os.environ['TOKEN']}"
CHANNEL = os.environ["CHANNEL"]

messages = pymongo.AsyncMongoClient(os.environ["MONGO_URL"])["relay"]["messages"]
clients: set[asyncio.Queue[str]] = set()


def event(id: str | int, channel: str, received_at: datetime, message: str) -> str:
    row = {"id": id, "channel": channel, "received_at": received_at.isoformat(), "message": message}
    return f"id: {id}\ndata: {json.dumps(row)}\n\n"


async def listen(pubsub: redis.client.PubSub) -> None:
    id = 0
    async for told in pubsub.listen():
        if told["type"] == "message":
            id += 1
            made = event(id, CHANNEL, datetime.now(UTC), told["data"])
            for queue in clients:
                queue.put_nowait(made)


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    async with redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=None) as client:
        async with client.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            task = asyncio.create_task(listen(pubsub))
            yield
            task.cancel()


async def stream(after: str | None) -> AsyncIterator[str]:
    queue: asyncio.Queue[str] = asyncio.Queue()
    clients.add(queue)
    try:
        yield ": hello\n\n"
        if after is not None:
            asked = {"channel": CHANNEL, "position": {"$gt": after}}
            async for row in messages.find(asked).sort("position"):
                yield event(row["position"], CHANNEL, row["received_at"], row["message"])
        while True:
            yield await queue.get()
    finally:
        clients.discard(queue)


async def live(request: Request) -> Response:
    if not secrets.compare_digest(request.headers.get("authorization", ""), AUTHORIZATION):
        return Response(status_code=401)
    return StreamingResponse(
        stream(request.headers.get("last-event-id")),
        headers={"content-type": "text/event-stream", "cache-control": "no-store"},
    )


app = Starlette(routes=[Route("/", live)], lifespan=lifespan)
