"""All targets together have no more connections than there may be, and each of them its turn."""

import asyncio
import resource

import pytest

from relaycore.sending.answers import Failure
from tests.unit.webhooks_app.http.endpoints import answer_ok, ask, run, sending, serving, until
from tests.unit.webhooks_app.http.test_bad_endpoints import hangs
from webhooks_app.http import room
from webhooks_app.http.pool import Pool

MOST = 8


@pytest.mark.parametrize("most", [MOST, 1000])
def test_all_are_answered_over_fewer_connections_than_targets(most: int) -> None:
    """Without the bound each of them has its own, which is what the test would not see."""

    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending(most_connections=most) as client:
            targets = [endpoint.target(f"/{number}", max_connections=4) for number in range(50)]
            for _ in range(3):
                answers = await asyncio.gather(*(ask(client, target) for target in targets for _ in range(5)))
                assert {answer.status for answer in answers} == {200}
            # One that is being closed may still be seen.
            assert (endpoint.most_open <= 2 * MOST) is (most == MOST)
            assert client.under_way == 0

    run(story)


def test_beyond_half_of_them_a_target_has_one() -> None:
    async def story() -> None:
        async with serving(hangs) as hanging, sending(most_connections=MOST) as client:
            greedy = hanging.target("/greedy", timeout_seconds=20, max_connections=MOST)
            waiting = [ask(client, greedy) for _ in range(MOST)]
            await until(lambda: hanging.made == MOST // 2)
            others = [hanging.target(f"/{number}", timeout_seconds=20) for number in range(MOST)]
            waiting += [ask(client, other) for other in others for _ in range(2)]
            await until(lambda: hanging.made == MOST)
            await asyncio.sleep(0.05)
            assert hanging.made == MOST
            assert not any(one.done() for one in waiting)

    run(story)


def test_what_carries_nothing_is_closed_for_who_has_none() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending(most_connections=2) as client:
            for number in range(10):
                answer = await ask(client, endpoint.target(f"/{number}"))
                assert answer.status == 200
            assert endpoint.made == 10

    run(story)


def test_one_that_is_always_busy_holds_up_no_other() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending(most_connections=1) as client:
            busy, other = endpoint.target("/busy"), endpoint.target("/other")
            waiting = [ask(client, busy) for _ in range(100)]
            answer = await ask(client, other)
            assert answer.status == 200
            assert sum(one.done() for one in waiting) < 100
            assert {one.status for one in await asyncio.gather(*waiting)} == {200}

    run(story)


def test_who_waits_for_a_place_until_its_time_is_up_was_not_sent() -> None:
    async def story() -> None:
        async with serving(hangs) as hanging, sending(most_connections=1) as client:
            held = ask(client, hanging.target("/held", timeout_seconds=1.0))
            answer = await ask(client, hanging.target("/other", timeout_seconds=0.3))
            assert (answer.failure, answer.is_unsent) == (Failure.OURS, True)
            assert (await held).failure is Failure.TIMEOUT
            # The place is free again.
            assert (
                await ask(client, hanging.target("/third", timeout_seconds=0.3))
            ).failure is Failure.TIMEOUT

    run(story)


@pytest.mark.parametrize(
    ("soft", "hard", "most", "raised"),
    [
        (1024, 1024, 768, None),
        (1024, 4096, 3072, 4096),
        (1024, resource.RLIM_INFINITY, 49_152, 65_536),
        (1 << 20, 1 << 20, 49_152, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, 49_152, None),
    ],
)
def test_as_many_as_there_may_be_files_but_for_some(
    soft: int, hard: int, most: int, raised: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    assert room.most_connections() == most
    assert limits == ([] if raised is None else [(raised, hard)])


def test_what_carries_nothing_is_not_looked_through_with_each_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ten thousand endpoints at rest would take a fifth of a core."""
    looked: list[float] = []
    monkeypatch.setattr(Pool, "close_idle", lambda _, before: looked.append(before))

    async def story() -> None:
        async with serving(answer_ok) as endpoint, serving(hangs) as hanging, sending() as client:
            assert (await ask(client, endpoint.target())).status == 200
            late = [ask(client, hanging.target(timeout_seconds=0.1 * number)) for number in range(1, 9)]
            assert {(await one).failure for one in late} == {Failure.TIMEOUT}
        assert 0 < len(looked) < 3 * (1 + len(late))

    run(story)
