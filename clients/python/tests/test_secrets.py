"""Neither a key nor the text of a message is in a log, an error or a repr."""

import asyncio
import logging
import traceback
from typing import Any

import httpx2
import pytest

from clients.python.tests.relay import KEY, URL, ModelRelay, cut_off, problem, refused_connection, saying
from relay_client import AsyncProducer, Client, Consumer, Limits, Producer, Undelivered, calls
from relay_client.answers import Answer
from relay_client.connections import Address
from relay_client.publishing.outgoing import Batch, Outgoing
from relay_client.rows import Message

TEXT = "the text of a message"


def all_of(exc: BaseException) -> str:
    """What a program would print of it, and a reporter of errors show."""
    parts = [*traceback.format_exception(exc), repr(exc)]
    while (cause := exc.__cause__ or exc.__context__) is not None:
        exc = cause
        parts += [repr(exc), repr(vars(exc))]
    return "".join(parts)


@pytest.mark.parametrize(
    "step",
    [
        *(saying(status) for status in (400, 401, 403, 404, 429, 503)),
        cut_off,
        refused_connection,
        lambda _: httpx2.Response(200, text="<html>"),
        lambda _: httpx2.Response(202, json={"ids": []}),
        lambda _: problem(400, "bad-message", "Bad.", index=0),
    ],
)
def test_what_goes_wrong_does_not_tell(step: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    limits = Limits(delivery_seconds=0.1)
    with Producer(URL, KEY, limits=limits, transport=httpx2.MockTransport(step)) as producer:
        delivery = producer.send("orders", TEXT, attributes={"name": TEXT})
    told = [all_of(raised(lambda: delivery.result(0), Undelivered))]
    client = Client(URL, KEY, retry_seconds=0, transport=httpx2.MockTransport(step))
    told.append(all_of(raised(lambda: client.channels.create("orders"), Exception)))
    logged = [record.getMessage() for record in caplog.records]
    assert logged
    for each in [*told, *logged]:
        assert KEY not in each
        assert TEXT not in each


def raised(use: Any, kind: type[Exception]) -> Exception:
    with pytest.raises(kind) as caught:
        use()
    return caught.value


def test_reprs_do_not_tell() -> None:
    message = Outgoing("orders", "1", TEXT.encode(), None)
    row = {"id": "1", "channel": "orders", "message": TEXT, "encoding": "utf-8", "position": "1-1-1"}
    found = Message.of(row | {"received_at": "2026-11-26T12:00:00Z", "attributes": {"a": TEXT}})
    transport = httpx2.MockTransport(ModelRelay())
    with Producer(URL, KEY, transport=transport) as producer, Client(URL, KEY, transport=transport) as client:
        shown = [producer, client, Address(URL, KEY), message, Batch("orders", (message,)), found]
        shown += [calls.publish("orders", message.line), Answer(200, {}, message.line)]
        for each in shown:
            assert TEXT not in repr(each)
            assert KEY not in repr(each)
    assert repr(producer) == f"Producer({URL!r})"


def consumer_of(url: str, key: str) -> Consumer:
    return Consumer(url, key, "billing")


@pytest.mark.parametrize("key", ["", "with space", "line\nbreak", "ümlaut", "tab\t", " " + KEY])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str) -> None:
    for made in (Client, Producer, AsyncProducer, consumer_of):
        with pytest.raises(ValueError, match="key is not one") as refused:
            made(URL, key)
        assert not key or key not in str(refused.value)


def test_the_same_holds_with_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def test() -> None:
        transport = httpx2.MockTransport(saying(403))
        async with AsyncProducer(URL, KEY, transport=transport) as producer:
            delivery = await producer.send("orders", TEXT)
            assert KEY not in repr(producer)
        error = delivery.exception()
        assert isinstance(error, Undelivered)
        assert TEXT not in all_of(error)
        assert KEY not in all_of(error)

    asyncio.run(test())
    assert not [
        record for record in caplog.records if TEXT in record.getMessage() or KEY in record.getMessage()
    ]
