"""Senders: the long forms of what `tests/integration/sending` does to them."""

from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import operator, serve, token, writer
from tests.integration.pulling.conftest import Client
from tests.integration.sending.conftest import _keys, client, endpoint, endpoints, hook, web
from tests.integration.sending.endpoints import Endpoints, slowly
from tests.integration.sending.flow import Flow, hooked, topics
from tests.integration.sending.test_killed_in_batches import kill_in_batches
from tests.integration.sending.test_killed_senders import Hook, kill_again_and_again

__all__ = ["_keys", "client", "endpoint", "endpoints", "hook", "operator", "serve", "token", "web", "writer"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long, pytest.mark.timeout(600)]

KILLS = 20


def test_twenty_kills_with_fifty_endpoints(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, tmp_path: Path, wait_until: Any
) -> None:
    """500 messages a second reach endpoints, as far as there is a processor for that."""
    channels = topics(10)
    readers = hooked(hook, endpoints, channels, 50)
    flow = Flow(client, channels, at_once=1, pause=0.05)
    kill_again_and_again(flow, readers, tmp_path / "log", KILLS, wait_until)
    flow.require_all(readers, KILLS)
    assert sum(one.place.repeated for one in readers), "nobody was killed with anything"


def test_a_cursor_that_moves_before_the_answer_is_found_out(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, tmp_path: Path, wait_until: Any
) -> None:
    channels = topics(2)
    readers = hooked(hook, endpoints, channels, 4)
    for one in readers:
        one.place.manner = slowly(0.2)
    flow = Flow(client, channels, at_once=4)
    kill_again_and_again(flow, readers, tmp_path / "log", 2, wait_until, "eager")
    assert flow.lacks(readers)
    with pytest.raises(AssertionError, match="lost"):
        flow.require_all(readers, 2)


def test_twenty_kills_while_many_messages_go_together(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, tmp_path: Path, wait_until: Any
) -> None:
    kill_in_batches(client, hook, endpoints, tmp_path / "log", wait_until, KILLS)
