"""A request, its answer, and the connection between them."""

import asyncio
import tomllib
from pathlib import Path

from tests.unit.webhooks_app.http.endpoints import (
    answer_ok,
    ask,
    run,
    sending,
    serving,
)
from webhooks_app.http.target import AGENT


def test_a_request_is_written_as_it_is_meant() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target("/a/b?c=d", headers={"X-Owner": "s3cret"})
            answer = await ask(
                client, target, b"\x00body\r\n", [(b"webhook-id", b"1"), (b"content-type", b"a/b")]
            )
            assert (answer.status, answer.failure, answer.body, answer.detail) == (200, None, b"ok", "")
            assert 0 < answer.seconds < 10
            [(head, body)] = endpoint.requests
            assert body == b"\x00body\r\n"
            assert head.decode().split("\r\n") == [
                "POST /a/b?c=d HTTP/1.1",
                f"host: 127.0.0.1:{endpoint.port}",
                f"user-agent: {AGENT}",
                "accept: */*",
                "X-Owner: s3cret",
                "webhook-id: 1",
                "content-type: a/b",
                "content-length: 7",
                *("", ""),
            ]
            assert "s3cret" not in repr(target)

    run(story)


def test_a_connection_is_kept_and_carries_one_request_after_another() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target()
            for _ in range(5):
                assert (await ask(client, target)).status == 200
            assert endpoint.made == 1
            assert client.under_way == 0

    run(story)


def test_there_are_never_more_connections_than_may_be_and_who_waits_comes_in_order() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target(max_connections=3)
            bodies = [b"%d" % number for number in range(40)]
            answers = await asyncio.gather(*(ask(client, target, body) for body in bodies))
            assert [answer.status for answer in answers] == [200] * 40
            assert endpoint.most_open == endpoint.made == 3
            assert sorted(body for _, body in endpoint.requests) == sorted(bodies)
            async with serving(answer_ok) as one_by_one:
                target = one_by_one.target(max_connections=1)
                await asyncio.gather(*(ask(client, target, body) for body in bodies))
                assert [body for _, body in one_by_one.requests] == bodies

    run(story)


def test_it_says_which_version_it_is() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())
    assert f"Relay/{project['project']['version']}" == AGENT
