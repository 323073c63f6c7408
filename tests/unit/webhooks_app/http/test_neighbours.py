"""One endpoint that hangs, of fifty: the others do not notice."""

import asyncio
import time

from tests.unit.webhooks_app.http.endpoints import (
    Endpoint,
    answer_ok,
    ask,
    run,
    sending,
    serving,
    until,
)
from tests.unit.webhooks_app.http.test_bad_endpoints import hangs
from webhooks_app.http.client import Client
from webhooks_app.http.target import Target

ROUNDS = 20
LEAST_PAIRS, MOST_PAIRS = 3, 10
SLACK_SECONDS = 0.1
HANGING_SECONDS = 1.5


async def rounds(client: Client, targets: list[Target], together: asyncio.Semaphore | None = None) -> float:
    """Send to each, one after another, all at once; the 99th percentile of how long an answer took."""
    took: list[float] = []

    async def to(target: Target) -> None:
        for _ in range(ROUNDS):
            began = time.monotonic()
            if together is None:
                answer = await ask(client, target)
            else:
                async with together:
                    answer = await ask(client, target)
            took.append(time.monotonic() - began)
            assert answer.status == 200

    await asyncio.gather(*map(to, targets))
    return sorted(took)[int(len(took) * 0.99)]


def test_one_that_hangs_moves_no_other() -> None:
    """Without it and beside it in turn, the best of each: what else the machine does makes both slow."""

    async def story() -> None:
        async with serving(answer_ok) as endpoint, serving(hangs) as hanging:
            alone, beside = float("inf"), float("inf")
            for pair in range(MOST_PAIRS):
                alone = min(alone, await without(endpoint))
                beside = min(beside, await besides(endpoint, hanging))
                if pair + 1 >= LEAST_PAIRS and beside < 2 * alone + SLACK_SECONDS:
                    break
            assert beside < 2 * alone + SLACK_SECONDS

    run(story)


def test_with_one_bound_for_all_they_wait_for_the_one_that_hangs() -> None:
    """The control: so many hang, for so long, that whoever waits for them is seen to."""

    async def story() -> None:
        async with serving(answer_ok) as endpoint, serving(hangs) as hanging, sending() as client:
            silent = hanging.target(timeout_seconds=HANGING_SECONDS, max_connections=8)
            together = asyncio.Semaphore(8)
            held = [asyncio.create_task(hold(together, client, silent)) for _ in range(8)]
            await asyncio.sleep(0)
            assert await rounds(client, others(endpoint), together) > HANGING_SECONDS / 2
            await asyncio.gather(*held)

    run(story)


def others(endpoint: Endpoint) -> list[Target]:
    return [endpoint.target(max_connections=1) for _ in range(49)]


async def without(endpoint: Endpoint) -> float:
    async with sending() as client:
        return await rounds(client, others(endpoint))


async def besides(endpoint: Endpoint, hanging: Endpoint) -> float:
    """Eight requests of one hang all the time, and many more wait for them."""
    async with sending() as client:
        silent = hanging.target(timeout_seconds=300, max_connections=8)
        waiting = [ask(client, silent) for _ in range(100)]
        await until(lambda: hanging.open == 8)
        took = await rounds(client, others(endpoint))
        assert hanging.open == 8
        assert not any(one.done() for one in waiting)
    await until(lambda: hanging.open == 0)
    return took


async def hold(together: asyncio.Semaphore, client: Client, silent: Target) -> None:
    async with together:
        await ask(client, silent)


def test_an_endpoint_has_no_more_connections_than_its_own() -> None:
    """However many requests hang, each of the others has what is its own."""

    async def story() -> None:
        async with serving(hangs) as hanging, serving(answer_ok) as endpoint, sending() as client:
            silent = [hanging.target(timeout_seconds=20, max_connections=2) for _ in range(10)]
            waiting = [ask(client, target) for target in silent for _ in range(10)]
            await until(lambda: hanging.made == 10 * 2)
            assert (await ask(client, endpoint.target())).status == 200
            assert hanging.made == 10 * 2
            assert not any(future.done() for future in waiting)

    run(story)
