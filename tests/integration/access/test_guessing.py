"""Passwords are guessed slowly, nobody else waits for it, and nobody is locked out by strangers."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password
from django.db import OperationalError
from django.test import Client

from access_app import guessing, hashing
from access_app.guessing import FROM_AN_ADDRESS, OF_AN_ACCOUNT, WINDOW_SECONDS
from access_app.hashing import AT_ONCE, MOST, AsideHasher, aside
from relaybase.connections import shared_redis
from relaycore.errors import TooManyGuesses

LOGINS = ("/admin/login/", "/api/session/login/")
HOME, OFFICE, STRANGER = "203.0.113.1", "203.0.113.2", "198.51.100.7"

InThread = Callable[[Callable[[], Any]], "Future[Any]"]


@pytest.fixture
def quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def boss(quick_hashes: None, relay_keys: Any, django_user_model: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An operator with a password. Time stands still within one window."""
    window = int(time.time()) // WINDOW_SECONDS * WINDOW_SECONDS
    monkeypatch.setattr(guessing, "_now", lambda: float(window + 1))
    return django_user_model.objects.create_superuser("boss", password="right password")


def log_in(
    name: str = "boss", password: str = "wrong", address: str = STRANGER, page: str = LOGINS[0]
) -> Any:
    form = {"username": name, "password": password}
    return Client().post(page, form, REMOTE_ADDR=address)


@pytest.mark.django_db
@pytest.mark.parametrize("page", LOGINS)
@pytest.mark.parametrize("name", ["boss", "nobody", "BOSS"])
def test_an_account_can_be_guessed_a_few_times(boss: Any, page: str, name: str) -> None:
    for number in range(OF_AN_ACCOUNT):
        answer = log_in(name, address=f"198.51.100.{number}", page=page)
        assert (answer.status_code, b"correct username" in answer.content) == (200, True)
    answer = log_in(name, "right password", page=page)

    assert (answer.status_code, answer["Retry-After"]) == (429, str(WINDOW_SECONDS))
    assert "Try again in" in answer.content.decode()
    assert "sessionid" not in answer.cookies


@pytest.mark.django_db
def test_an_address_can_guess_a_few_times_whatever_the_account(boss: Any) -> None:
    for number in range(FROM_AN_ADDRESS):
        assert log_in(f"user {number}", address=f"2001:db8:0:1::{number}").status_code == 200

    assert log_in("another", address="2001:db8:0:1:ffff::").status_code == 429
    assert log_in("another", address="2001:db8:0:2::").status_code == 200


@pytest.mark.django_db
def test_who_knows_the_password_is_not_counted(boss: Any) -> None:
    for _ in range(2 * FROM_AN_ADDRESS):
        assert log_in(password="right password", address=HOME).status_code == 302


@pytest.mark.django_db
def test_strangers_lock_nobody_out(boss: Any) -> None:
    assert log_in(password="right password", address=HOME).status_code == 302
    for number in range(OF_AN_ACCOUNT + 1):
        log_in(address=f"198.51.100.{number}")

    assert log_in(password="right password", address=OFFICE).status_code == 429
    assert log_in(password="right password", address=HOME).status_code == 302
    for _ in range(OF_AN_ACCOUNT):
        assert log_in(address=HOME).status_code == 200
    assert log_in(password="right password", address=HOME).status_code == 429


@pytest.mark.django_db
def test_in_the_next_window_it_goes_on(boss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(OF_AN_ACCOUNT + 1):
        log_in(address=f"198.51.100.{number}")
    now = guessing._now()
    monkeypatch.setattr(guessing, "_now", lambda: now + WINDOW_SECONDS)

    assert log_in(password="right password").status_code == 302


@pytest.mark.django_db
def test_no_name_that_was_typed_is_kept(boss: Any, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(OF_AN_ACCOUNT + 5):
        log_in("my secret password")

    kept = b" ".join(shared_redis().keys("*guess*"))
    assert kept
    assert b"my secret" not in kept.lower()
    assert [record.message for record in caplog.records if record.name == guessing.__name__] == [
        f"too many wrong passwords for an account, the last from {STRANGER}"
    ]


@pytest.mark.django_db
def test_without_redis_nobody_is_refused(
    quick_hashes: None, django_user_model: Any, redis_away: None
) -> None:
    django_user_model.objects.create_superuser("boss", password="right password")
    for _ in range(OF_AN_ACCOUNT + 1):
        assert log_in().status_code == 200
    assert log_in(password="right password").status_code == 302


@pytest.mark.django_db
def test_an_attempt_that_nobody_looked_at_is_not_counted(boss: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = guessing.LimitedBackend()
    for reason in (
        TooManyGuesses("Many passwords are being checked.", 3),
        OperationalError("PostgreSQL is away"),
    ):

        def refuse(*_: Any, reason: Exception = reason, **__: Any) -> None:
            raise reason

        with monkeypatch.context() as patch:
            patch.setattr(ModelBackend, "authenticate", refuse)
            for _ in range(2 * FROM_AN_ADDRESS):
                with pytest.raises(type(reason)) as raised:
                    backend.authenticate(None, "boss", "right password")
                assert raised.value is reason

    assert backend.authenticate(None, "boss", "right password") == boss
    assert set(map(int, shared_redis().mget(shared_redis().keys("*guess*")))) == {0}


@pytest.mark.django_db
def test_a_wrong_password_is_counted_though_too_many_wait_for_their_hashes(
    boss: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PASSWORD_HASHERS = ["access_app.hashing.AsideHasher"]
    boss.password = AsideHasher().encode("right password", "salt", 10)
    boss.save()
    is_free, whole = [True], hashing.aside

    def once(work: Callable[[], str]) -> str:
        if not is_free:
            raise TooManyGuesses("Many passwords are being checked.", 3)
        is_free.pop()
        return whole(work)

    monkeypatch.setattr(hashing, "aside", once)

    # Its hash is an old one. What that is short of today's is made up for only while there is room.
    assert guessing.LimitedBackend().authenticate(None, "boss", "wrong") is None
    assert not is_free
    assert set(map(int, shared_redis().mget(shared_redis().keys("*guess*")))) == {1}


# --- where passwords are hashed --------------------------------------------------------------


def test_a_hash_is_that_of_django() -> None:
    ours, theirs = AsideHasher(), PBKDF2PasswordHasher()

    assert ours.encode("a", "salt", 10) == theirs.encode("a", "salt", 10)
    assert ours.verify("a", theirs.encode("a", "salt", 10))
    assert check_password("a", theirs.encode("a", "salt", 10))


def test_few_are_hashed_at_once_and_too_many_are_refused(in_thread: InThread) -> None:
    go, running, most = threading.Event(), [], []

    def work() -> str:
        running.append(1)
        most.append(len(running))
        go.wait(10)
        running.pop()
        return "hash"

    futures = [in_thread(lambda: aside(work)) for _ in range(MOST)]
    deadline = time.monotonic() + 10
    while hashing._places._value and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(TooManyGuesses, match="Try again in a few seconds"):
        aside(work)
    go.set()

    assert [future.result(10) for future in futures] == ["hash"] * MOST
    assert max(most) == AT_ONCE
    assert aside(lambda: "again") == "again"


def test_hashing_gives_way_to_everything_else() -> None:
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    found = aside(lambda: str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))

    assert found == str(hashing._NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_who_may_not_give_way_is_hashed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError("a sandbox forbids it")

    monkeypatch.setattr(os, "setpriority", refuse)
    # Without a thread of its own: for one that ended without a word the test would wait for ever.
    done: Future[str] = Future()
    hashing._run(lambda: "hash", done)

    assert done.result(0) == "hash"


def test_a_mistake_in_hashing_is_not_lost() -> None:
    with pytest.raises(ZeroDivisionError):
        aside(lambda: str(1 / 0))
    assert hashing._places._value == MOST


@pytest.mark.django_db
def test_the_login_page_says_that_too_many_are_being_checked(
    relay_keys: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_places", threading.BoundedSemaphore(1))
    hashing._places.acquire()
    for page in LOGINS:
        answer = log_in(page=page)
        assert (answer.status_code, answer["Retry-After"]) == (429, "3")
