"""What Sentry gets to know of an error: what and where, and nothing of a message."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import bson
import pytest
import sentry_sdk
from bson.errors import InvalidBSON
from pymongo.errors import BulkWriteError
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from messages_app.writing.quarantine import Quarantine
from relaybase.connections import mongo_collection
from relaybase.env import WrongSetting
from relaycore.errors import UnfitServer
from relayproject.observing import sentry
from tests.floors.imports import files

DSN = "https://publickey@sentry.invalid/1"
PAYLOAD = "the-payload-of-somebody"


class Kept(Transport):
    """A transport that sends nothing anywhere."""

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    @property
    def events(self) -> list[Any]:
        return [event for envelope in self.envelopes if (event := envelope.get_event())]

    @property
    def everything(self) -> str:
        return b"".join(envelope.serialize() for envelope in self.envelopes).decode()


@pytest.fixture
def sent() -> Iterator[Kept]:
    transport = Kept()
    sentry.begin(DSN, transport)
    yield transport
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


def types(event: Any) -> list[str]:
    return [error["type"] for error in event["exception"]["values"]]


@pytest.mark.django_db
def test_an_error_in_a_view_says_where_and_nothing_of_the_request(
    api: Any, token: str, sent: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any, **_: Any) -> None:
        local = f"a local variable with {PAYLOAD}"
        raise RuntimeError(f"with {given} and {local}")

    monkeypatch.setattr("channels_app.registration.start", fail)
    api.raise_request_exception = False
    address = "/api/v1/start-listening?wait=1"
    assert api.post(address, {"channel": PAYLOAD}, format="json").status_code == 500

    [event] = sent.events
    assert types(event) == ["RuntimeError"]
    assert event["exception"]["values"][0]["stacktrace"]["frames"][-1]["function"] == "fail"
    assert "start-listening" in event["transaction"]
    assert PAYLOAD not in sent.everything
    assert token not in sent.everything


@pytest.mark.django_db
def test_an_envelope_that_cannot_be_read_is_reported_without_what_is_in_it(
    archive: Any, sent: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(document: bytes) -> None:
        raise InvalidBSON(f"cannot read {document!r}")

    monkeypatch.setattr(bson, "decode", decode)
    Quarantine(mongo_collection("quarantine"), lambda: False).put_message(PAYLOAD.encode(), "1-0/0", "bad")

    kept = mongo_collection("quarantine").find_one_and_delete({})
    assert kept
    assert kept["payload"] == PAYLOAD.encode()
    [event] = sent.events
    assert types(event) == ["InvalidBSON"]
    assert event["logentry"]["formatted"] == f"an envelope of {len(PAYLOAD)} bytes cannot be read"
    assert PAYLOAD not in sent.everything


def test_an_error_of_mongodb_does_not_show_the_document_that_was_refused(archive: Any, sent: Kept) -> None:
    key = archive.insert_one({"message": PAYLOAD}).inserted_id
    with pytest.raises(BulkWriteError, match=PAYLOAD) as caught:
        archive.insert_many([{"_id": key, "message": PAYLOAD}])
    try:
        raise caught.value
    except BulkWriteError:
        logging.getLogger("messages_app.writing.store").exception("not stored")

    [event] = sent.events
    assert types(event) == ["BulkWriteError"]
    assert PAYLOAD not in sent.everything


def test_what_relay_says_itself_arrives(sent: Kept) -> None:
    try:
        raise UnfitServer("Redis throws away what is not stored yet.")
    except UnfitServer:
        about = {"partition": 3, "channel": "orders", "payload": PAYLOAD}
        logging.getLogger("channels_app.tasks").exception("partition %d: stopped", 3, extra=about)

    [event] = sent.events
    assert event["exception"]["values"][0]["value"] == "Redis throws away what is not stored yet."
    assert event["logentry"]["formatted"] == "partition 3: stopped"
    assert event["extra"] == {"partition": 3, "channel": "orders"}
    assert PAYLOAD not in sent.everything


def test_of_another_logger_only_the_text_in_its_program_arrives(sent: Kept) -> None:
    logging.getLogger("somebody.else").error("refused: %s", PAYLOAD)

    [event] = sent.events
    assert event["logentry"] == {"message": "refused: %s"}
    assert PAYLOAD not in json.dumps(event, default=str)


def test_of_a_request_method_and_address_are_sent_whatever_was_collected() -> None:
    request = {
        "method": "GET",
        "url": "https://relay/api/v1/messages",
        "query_string": f"contains={PAYLOAD}",
        "data": {"message": PAYLOAD},
        "headers": {"Authorization": "Bearer secret"},
        "cookies": {"sessionid": "secret"},
        "env": {"REMOTE_ADDR": "192.0.2.1"},
    }
    crumbs = {"values": [{"message": PAYLOAD}]}
    frame = {"function": "search", "vars": {"text": PAYLOAD}}
    errors = [{"type": "ValueError", "value": PAYLOAD, "stacktrace": {"frames": [frame]}}]
    full: Any = {
        "request": request,
        "breadcrumbs": crumbs,
        "user": {"id": 7},
        "exception": {"values": errors},
    }
    event = sentry.clean(full, {})

    assert event["request"] == {"method": "GET", "url": "https://relay/api/v1/messages"}
    assert event["exception"] == {
        "values": [{"type": "ValueError", "stacktrace": {"frames": [{"function": "search"}]}}]
    }
    assert not {"user", "breadcrumbs"} & event.keys()


def test_a_bad_dsn_is_refused_without_showing_it() -> None:
    with pytest.raises(WrongSetting, match="SENTRY_DSN must be a DSN") as caught:
        sentry.begin("not-a-dsn-with-a-secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_lines_below_an_error_are_not_sent(sent: Kept, wait_until: Callable[..., None]) -> None:
    logging.getLogger("channels_app").warning("only a warning")
    assert sent.envelopes == []


def test_what_loggers_of_every_package_say_is_known_to_be_ours() -> None:
    """Else nothing but its template is told."""
    assert set(sentry.OURS) == {name.partition(".")[0] for name in files()}
