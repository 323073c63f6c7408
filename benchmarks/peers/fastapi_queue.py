"""What a good engineer writes first: a log queue, with FastAPI and asyncpg, in its usual schema.

uvicorn fastapi_queue:app, with DATABASE_URL and TOKEN in the environment.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

TOKEN = os.environ["TOKEN"]
pool: Any = None


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        await pool.execute(
            "create table if not exists queued (id bigserial primary key, topic text not null, "
            "message text not null, at timestamptz not null default now());"
            "create index if not exists queued_topic on queued (topic, id);"
            "create table if not exists consumers "
            "(id bigserial primary key, topic text not null, position bigint not null default 0)"
        )
        yield


app = FastAPI(lifespan=lifespan)


def who(given: HTTPAuthorizationCredentials = Depends(HTTPBearer())) -> str:
    if not secrets.compare_digest(given.credentials, TOKEN):
        raise HTTPException(401)
    return given.credentials


class Fetch(BaseModel):
    max: int = 100


class Commit(BaseModel):
    position: int


@app.post("/consumers/{consumer}/consume")
async def consume(consumer: int, _: str = Depends(who)) -> dict[str, Any]:
    """The next message; the position moves with it."""
    async with pool.acquire() as connection, connection.transaction():
        stands = await connection.fetchrow("select topic, position from consumers where id = $1 for update", consumer)
        if stands is None:
            raise HTTPException(404)
        found = await connection.fetchrow(
            "select id, message, at from queued where topic = $1 and id > $2 order by id limit 1", *stands
        )
        if found is None:
            return {"messages": []}
        await connection.execute("update consumers set position = $2 where id = $1", consumer, found["id"])
        return {"messages": [dict(found)]}


@app.post("/consumers/{consumer}/fetch")
async def fetch(consumer: int, wanted: Fetch, _: str = Depends(who)) -> dict[str, Any]:
    """What comes next, until it is committed."""
    async with pool.acquire() as connection:
        stands = await connection.fetchrow("select topic, position from consumers where id = $1", consumer)
        if stands is None:
            raise HTTPException(404)
        found = await connection.fetch(
            "select id, message, at from queued where topic = $1 and id > $2 order by id limit $3", *stands, wanted.max
        )
        return {
            "messages": [dict(row) for row in found],
            "position": found[-1]["id"] if found else stands["position"],
        }


@app.post("/consumers/{consumer}/commit")
async def commit(consumer: int, wanted: Commit, _: str = Depends(who)) -> dict[str, Any]:
    """All up to there is done."""
    await pool.execute(
        "update consumers set position = $2 where id = $1 and position <= $2", consumer, wanted.position
    )
    return {"position": wanted.position}
