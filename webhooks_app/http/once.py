"""One request from where there is no event loop: a task of Celery, a command."""

import asyncio
from collections.abc import Sequence

from relaycore.outbound.addresses import Allowed
from relaycore.sending.answers import Answer
from webhooks_app.http.client import Client
from webhooks_app.http.target import Target


def ask(target: Target, head: Sequence[tuple[bytes, bytes]], body: bytes, networks: Allowed) -> Answer:
    """Send it, and wait for what comes of it: for as long as the target allows."""
    return asyncio.run(_ask(target, head, body, networks))


async def _ask(target: Target, head: Sequence[tuple[bytes, bytes]], body: bytes, networks: Allowed) -> Answer:
    client = Client(networks)
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    client.send(target, head, body, answered.set_result)
    try:
        return await answered
    finally:
        client.close()
