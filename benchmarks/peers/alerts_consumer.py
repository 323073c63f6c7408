"""What a good engineer writes in an hour: alerts by place, with asyncio, Redis and python-socketio.

uvicorn alerts_consumer:app, with REDIS_URL and STREAM in the environment. POST /api/alerts puts an alert on the
stream; a consumer of a group tells of it, keeps windows in a dictionary and in a hash of Redis, and closes
them by a heap of ends.
"""

import asyncio
import heapq
import json
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import redis.asyncio as redis
import socketio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

STREAM = os.environ["STREAM"]
STATE, GROUP = f"{STREAM}:windows", "alerts"

client = redis.from_url(os.environ["REDIS_URL"], decode_responses=True, socket_timeout=None)
server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
windows: dict[str, list[dict[str, Any]]] = {}
ends: list[tuple[float, str]] = []
tasks: list[asyncio.Task[None]] = []


def show(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


async def tell(event: str, place: str, window: dict[str, Any]) -> None:
    start, end = show(window["start"]), show(window["end"])
    told = {"location": place, "type": window["type"], "eventType": event, "sentTime": start}
    await server.emit("alert", {**told, "startTime": start, "duration": end, "endTime": end})


async def take(alert: dict[str, Any]) -> str:
    place, start = alert["location"], datetime.fromisoformat(alert["timestamp"]).timestamp()
    window = {"start": start, "end": start + alert["duration"] * 60, "type": alert["type"]}
    await tell("open", place, window)
    apart = []
    for other in windows.get(place, []):
        if other["start"] <= window["end"] and window["start"] <= other["end"]:
            window["start"] = min(window["start"], other["start"])
            window["end"] = max(window["end"], other["end"])
            if window["type"] != other["type"]:
                window["type"] = "Mixed Threats"
        else:
            apart.append(other)
    windows[place] = [*apart, window]
    heapq.heappush(ends, (window["end"], place))
    return place


async def close() -> set[str]:
    changed, now = set(), time.time()
    while ends and ends[0][0] <= now:
        _, place = heapq.heappop(ends)
        open_ = windows.get(place, [])
        for window in [one for one in open_ if one["end"] <= now]:
            open_.remove(window)
            changed.add(place)
            await tell("close", place, window)
    return changed


async def keep(places: set[str], ids: list[str]) -> None:
    async with client.pipeline(transaction=False) as pipe:
        kept = {place: json.dumps(windows[place]) for place in places if windows.get(place)}
        if kept:
            pipe.hset(STATE, mapping=kept)
        if gone := [place for place in places if not windows.get(place)]:
            pipe.hdel(STATE, *gone)
        if ids:
            pipe.xack(STREAM, GROUP, *ids)
        await pipe.execute()


async def consume() -> None:
    for place, kept in (await client.hgetall(STATE)).items():
        windows[place] = json.loads(kept)
        for window in windows[place]:
            heapq.heappush(ends, (window["end"], place))
    while True:
        wait = min(1.0, max(0.001, ends[0][0] - time.time())) if ends else 1.0
        found = await client.xreadgroup(GROUP, "one", {STREAM: ">"}, count=500, block=int(wait * 1000) or 1)
        places, ids = set(), []
        for _, entries in found:
            for id, fields in entries:
                with suppress(ValueError, KeyError, TypeError):
                    places.add(await take(json.loads(fields["alert"])))
                    places |= await close()  # What had ended is closed before the next one could join it.
                ids.append(id)
        places |= await close()
        if places or ids:
            await keep(places, ids)


async def post(request: Request) -> Response:
    body = await request.body()
    try:
        alert = json.loads(body)
        datetime.fromisoformat(alert["timestamp"])
        if not (alert["location"] and alert["type"] and alert["duration"] > 0):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        return JSONResponse("Invalid event data", 400)
    await client.xadd(STREAM, {"alert": body})
    return JSONResponse("Event processed successfully")


async def start() -> None:
    with suppress(redis.ResponseError):
        await client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    tasks.append(asyncio.create_task(consume()))


doors = Starlette(routes=[Route("/api/alerts", post, methods=["POST"])])
app = socketio.ASGIApp(server, other_asgi_app=doors, on_startup=start)
