"""What a good engineer writes first: FastAPI, and one durable INSERT of asyncpg for each request.

uvicorn fastapi_insert:app, with DATABASE_URL and TOKEN in the environment.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

TOKEN = os.environ["TOKEN"]
pool: Any = None


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    global pool
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        await pool.execute(
            "create table if not exists published (id bigserial primary key, channel text not null, "
            "message text not null, at timestamptz not null default now())"
        )
        yield


app = FastAPI(lifespan=lifespan)


def who(given: HTTPAuthorizationCredentials = Depends(HTTPBearer())) -> str:
    if not secrets.compare_digest(given.credentials, TOKEN):
        raise HTTPException(401)
    return given.credentials


@app.post("/api/v1/channels/{channel}/messages", status_code=202)
async def publish(channel: str, request: Request, _: str = Depends(who)) -> dict[str, list[str]]:
    body = (await request.body()).decode()
    id = await pool.fetchval("insert into published (channel, message) values ($1, $2) returning id", channel, body)
    return {"ids": [str(id)]}
