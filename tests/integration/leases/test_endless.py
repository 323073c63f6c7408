"""What all endless tasks do around their loops."""

import logging
from collections.abc import Callable
from typing import Any

import pytest

from leases_app import deployment, endless
from leases_app.leasing import Condition, Contender, Held
from leases_app.models import Lease
from relaybase import stopping
from relaycore.errors import UnfitServer

pytestmark = pytest.mark.django_db(transaction=True)

SENDER = Lease.Role.SENDER
WRITER = Lease.Role.WRITER


@pytest.fixture
def proposed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was proposed beside beat; and the handler of no signal is changed."""
    found: list[str] = []
    monkeypatch.setattr(endless, "have_proposed", lambda: found.append("proposed"))
    monkeypatch.setattr(stopping, "listen_to_signals", lambda *signals: None)
    return found


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """SIGTERM comes."""
    return lambda: monkeypatch.setattr(stopping._Own, "signalled", True)


def _must_not_begin(stopping: Callable[[], bool]) -> bool:
    raise AssertionError("it has begun")


def _is_there(number: int) -> bool:
    return True


def test_proposes_once_its_loop_has_run(proposed: list[str]) -> None:
    endless.run(WRITER, 0, lambda stopping: True, _is_there)

    assert proposed == ["proposed"]


def test_ends_at_once_if_somebody_else_has_the_lease(proposed: list[str]) -> None:
    endless.run(WRITER, 0, lambda stopping: False, _is_there)

    assert proposed == []


def test_begins_nothing_for_a_share_that_is_not_there_any_more(proposed: list[str]) -> None:
    endless.run(WRITER, 7, _must_not_begin, lambda number: number < 7)

    assert proposed == []


def test_begins_nothing_where_the_deployment_does_not_fit(
    proposed: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise UnfitServer("two of them have another name")

    monkeypatch.setattr(deployment, "require", refuse)

    endless.run(SENDER, 3, _must_not_begin, _is_there)

    assert proposed == []
    assert "shard 3: two of them have another name" in caplog.text


def test_says_of_what_it_is_that_a_loop_could_not_begin(
    proposed: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(stopping: Callable[[], bool]) -> bool:
        raise UnfitServer("it evicts keys")

    endless.run(WRITER, 2, fail, _is_there)

    (said,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert said.getMessage() == "partition 2: it evicts keys"
    assert vars(said)["partition"] == 2
    assert proposed == []


def test_leaves_the_error_of_a_stranger_to_celery(proposed: list[str]) -> None:
    def fail(stopping: Callable[[], bool]) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        endless.run(WRITER, 0, fail, _is_there)


def test_ends_its_process_if_that_was_told_to_end(proposed: list[str], signalled: Callable[[], None]) -> None:
    def work(stopping: Callable[[], bool]) -> bool:
        signalled()
        return stopping()

    with pytest.raises(SystemExit):
        endless.run(WRITER, 0, work, _is_there)

    assert proposed == ["proposed"]


def test_keeps_a_term_while_something_is_done_under_it() -> None:
    term = Contender().claim(WRITER, 0)
    assert term is not None

    with endless.under(term, "writing", Condition) as heartbeat:
        assert not heartbeat.lost
        assert Lease.objects.live().filter(role=WRITER, holder=term.holder).exists()

    assert not Lease.objects.live().filter(role=WRITER).exists()


class _Task:
    """A task of Celery that goes nowhere."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def apply_async(self, args: tuple[int, ...]) -> None:
        self.sent.append(*args)


def test_proposes_each_that_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endless, "enough_wait", lambda queue, most: False)
    task: Any = _Task()

    endless.propose(SENDER, range(4), Held(frozenset({(SENDER, 1, 0), (WRITER, 2, 0)})), task, "senders")

    assert task.sent == [0, 2, 3]


def test_proposes_nothing_while_enough_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def wait(queue: str, most: int) -> bool:
        asked.append((queue, most))
        return True

    monkeypatch.setattr(endless, "enough_wait", wait)
    task: Any = _Task()

    endless.propose(SENDER, range(4), Held(frozenset({(SENDER, 1, 0)})), task, "senders")

    assert (task.sent, asked) == ([], [("senders", 3)])
