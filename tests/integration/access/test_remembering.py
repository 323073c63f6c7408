"""Who has which token, remembered beside a real PostgreSQL: what changes is noticed within a second."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection, transaction

from access_app import tokens
from access_app.models import RightsMark, Token
from access_app.remembering import Holder, Remembered
from relaybase.postgres import remembering
from relaybase.postgres.remembering import HOLD_SECONDS
from relaycore.errors import Disconnected
from relaycore.rights import everywhere, parse
from tests.integration.access.conftest import permission
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Wait = Callable[..., None]
InThread = Callable[[Callable[[], Any]], "Future[Any]"]

SOON = 1.0


class Clock:
    """The monotonic clock, which may be set forward."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def remembered(clock: Clock) -> Iterator[Remembered]:
    """What a web process has of it."""
    made = Remembered(clock)
    yield made
    made.close()


def find(remembered: Remembered, key: str) -> Holder | None:
    return asyncio.run(remembered.find(key))


def who(remembered: Remembered, key: str) -> Holder | None:
    """As a request asks."""
    return remembered.known(key) or find(remembered, key)


@pytest.fixture
def key(operator: Any) -> str:
    """Of a token that may read."""
    return tokens.make("reader", operator, "read")[1]


def may(remembered: Remembered, key: str, right: str, channel: str | None = None) -> bool:
    """Whether a request with this key may go on."""
    holder = who(remembered, key)
    return holder is not None and holder.refusal(right, channel) is None


def mark() -> object:
    return RightsMark.objects.values_list("mark", flat=True).first()


def test_a_token_is_looked_up_once_and_known_from_then_on(remembered: Remembered, key: str) -> None:
    assert remembered.known(key) is None
    holder = find(remembered, key)

    assert holder is not None
    assert (holder.id, holder.name) == (Token.objects.get().pk, "reader")
    assert holder.grants == everywhere("read")
    assert remembered.known(key) == holder
    assert holder.who == f"token:{holder.id}"


def test_what_a_scope_allows(remembered: Remembered, key: str, token: str) -> None:
    reader, manager = who(remembered, key), who(remembered, token)

    assert reader is not None
    assert manager is not None
    assert reader.refusal(Token.Scope.READ) is None
    assert 'scope "read"' in (reader.refusal(Token.Scope.MANAGE) or "")
    assert manager.refusal(Token.Scope.READ) is manager.refusal(Token.Scope.MANAGE) is None


def test_a_grant_is_for_its_channels(remembered: Remembered, operator: Any) -> None:
    grants = parse(
        [{"scope": "publish", "channels": ["orders.*"]}, {"scope": "consume", "channels": ["prices"]}]
    )
    _, key = tokens.make("shop", operator, grants)

    assert may(remembered, key, "publish")
    assert may(remembered, key, "publish", "orders.new")
    assert not may(remembered, key, "publish", "prices")
    assert may(remembered, key, "read", "prices")
    assert not may(remembered, key, "read", "orders.new")
    assert not may(remembered, key, "manage")


def test_a_token_may_no_more_than_its_user(remembered: Remembered, clerk: Any, wait_until: Wait) -> None:
    _, key = tokens.make("shop", clerk, "manage")
    group = Group.objects.create(name="publishers")
    group.permissions.add(permission("messages_app.add_message"))
    assert not may(remembered, key, "publish")
    assert "messages_app.add_message" in str(who(remembered, key).refusal("publish"))  # type: ignore[union-attr]

    for give, take in [
        (lambda: clerk.groups.add(group), clerk.groups.clear),
        (lambda: clerk.groups.add(group), group.permissions.clear),
        (
            lambda: clerk.user_permissions.add(permission("messages_app.add_message")),
            clerk.user_permissions.clear,
        ),
        (lambda: _update(clerk, is_superuser=True), lambda: _update(clerk, is_superuser=False)),
    ]:
        give()
        wait_until(lambda: may(remembered, key, "publish", "orders"), SOON)
        take()
        wait_until(lambda: not may(remembered, key, "publish", "orders"), SOON)
    assert not may(remembered, key, "read")


def _update(user: Any, **columns: bool) -> None:
    type(user).objects.filter(pk=user.pk).update(**columns)


def test_grants_that_nobody_can_read_allow_nothing_and_harm_nobody(
    remembered: Remembered, operator: Any, key: str
) -> None:
    _, other = tokens.make("broken", operator, "manage")
    Token.objects.filter(name="broken").update(grants={"scope": "manage"})

    assert not may(remembered, other, "read")
    assert may(remembered, key, "read")


@pytest.mark.parametrize("key", ["unknown", "é"])
def test_nobody_has_an_unknown_key_until_somebody_gets_it(
    remembered: Remembered, operator: Any, key: str
) -> None:
    assert who(remembered, key) is None
    tokens.make("new", operator, "read", key=key)

    assert who(remembered, key) is not None


def _rotate(token: Token) -> None:
    tokens.rotate(token)


def _expire(token: Token) -> None:
    Token.objects.filter(pk=token.pk).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))


def _switch_off(token: Token) -> None:
    type(token.user).objects.filter(pk=token.user_id).update(is_active=False)


def _save_switched_off(token: Token) -> None:
    token.user.is_active = False
    token.user.save()


def _delete_user(token: Token) -> None:
    token.user.delete()


def _by_sql(token: Token) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE tokens SET revoked_at = now()")


def _in_bulk(token: Token) -> None:
    token.revoked_at = datetime.now(UTC)
    Token.objects.bulk_update([token], ["revoked_at"])


def _truncate(token: Token) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE tokens CASCADE")


ENDS = [
    tokens.revoke,
    _rotate,
    _expire,
    _switch_off,
    _save_switched_off,
    _delete_user,
    _by_sql,
    _in_bulk,
    _truncate,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_what_ends_a_token_ends_it_here_within_a_second(
    remembered: Remembered, key: str, end: Callable[[Token], object], wait_until: Wait
) -> None:
    assert who(remembered, key) is not None
    end(Token.objects.get())

    wait_until(lambda: remembered.known(key) is None, SOON)
    assert find(remembered, key) is None


def test_another_scope_counts_within_a_second(remembered: Remembered, key: str, wait_until: Wait) -> None:
    who(remembered, key)
    Token.objects.update(grants=everywhere("manage").as_json())

    wait_until(lambda: may(remembered, key, "manage"), SOON)


def test_a_change_that_is_committed_late_is_noticed(
    remembered: Remembered, key: str, operator: Any, in_thread: InThread, wait_until: Wait
) -> None:
    """Whoever goes by when changes were made, and not by when they were committed, misses the first."""
    other = tokens.make("other", operator, "read")[1]
    who(remembered, key), who(remembered, other)
    with transaction.atomic():
        Token.objects.filter(name="reader").update(revoked_at=datetime.now(UTC))
        # Not held up by the one that has begun before it.
        assert in_thread(lambda: tokens.revoke(Token.objects.get(name="other"))).result(5)
        wait_until(lambda: remembered.known(other) is None, SOON)
        assert remembered.known(key) is not None

    wait_until(lambda: remembered.known(key) is None, SOON)


def test_what_is_rolled_back_changes_nothing(remembered: Remembered, key: str) -> None:
    before = mark()
    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        tokens.revoke(Token.objects.get())
        raise ZeroDivisionError

    assert mark() == before
    assert who(remembered, key) is not None


def test_each_kind_of_right_changes_the_mark(operator: Any) -> None:
    group, permission = Group.objects.create(name="readers"), Permission.objects.first()
    assert permission is not None
    changes: list[Callable[[], object]] = [
        lambda: operator.user_permissions.add(permission),
        operator.user_permissions.clear,
        lambda: operator.groups.add(group),
        lambda: group.permissions.add(permission),
        group.permissions.clear,
        group.delete,
        lambda: type(operator).objects.update(is_superuser=False),
    ]
    marks = {mark()}
    for change in changes:
        change()
        marks.add(mark())

    assert len(marks) == len(changes) + 1


def test_using_a_token_and_logging_in_change_no_mark(operator: Any, key: str, client: Any) -> None:
    tokens.revoke(tokens.make("another", operator, "read")[0])
    before = mark()
    tokens.find(key)
    client.force_login(operator)
    operator.refresh_from_db()
    operator.save()

    assert Token.objects.get(name="reader").last_used_at is not None
    assert operator.last_login is not None
    assert mark() == before


def test_a_thousand_rows_are_one_change(operator: Any) -> None:
    for number in range(1000):
        Token.objects.create(name=str(number), user=operator, digest=b"%32d" % number, hint="")
    with transaction.atomic(), connection.cursor() as cursor:
        Token.objects.update(grants=everywhere("manage").as_json())
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables WHERE relname = 'rights_mark'"
        )
        assert cursor.fetchone() == (1,)


def test_a_token_expires_without_a_look(remembered: Remembered, operator: Any, clock: Clock) -> None:
    _, key = tokens.make("short", operator, "read", expires_at=datetime.now(UTC) + timedelta(seconds=20))
    assert who(remembered, key) is not None

    clock.ahead = 20.5
    assert remembered.known(key) is None


def test_what_no_trigger_has_told_is_noticed_after_half_a_minute(
    remembered: Remembered, key: str, monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    monkeypatch.setattr(remembering, "AGAIN_SECONDS", 3.0)
    who(remembered, key)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # As a replica applies it.
        cursor.execute("UPDATE tokens SET revoked_at = now()")
        cursor.execute("SET session_replication_role = DEFAULT")
    time.sleep(2 * remembering.LOOK_SECONDS)
    assert remembered.known(key) is not None

    wait_until(lambda: remembered.known(key) is None, 3)


def test_the_use_of_a_remembered_token_is_noted_once_a_minute(
    remembered: Remembered, key: str, clock: Clock, wait_until: Wait
) -> None:
    def used_at() -> Any:
        return Token.objects.get().last_used_at

    who(remembered, key)
    wait_until(used_at)
    Token.objects.update(last_used_at=None)
    assert remembered.known(key) is not None
    time.sleep(2 * remembering.LOOK_SECONDS)
    assert used_at() is None

    clock.ahead = 61
    remembered._wake.set()
    wait_until(used_at)


def test_those_that_were_not_asked_for_the_longest_are_forgotten(
    remembered: Remembered, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "MOST", 2)
    first, second, third = (tokens.make(name, operator, "read")[1] for name in "abc")
    who(remembered, first), who(remembered, second), who(remembered, first), who(remembered, third)

    assert remembered.known(first)
    assert remembered.known(third)
    assert remembered.known(second) is None


def test_many_who_ask_at_once_are_answered_by_few_questions(
    remembered: Remembered, operator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [tokens.make(str(number), operator, "read")[1] for number in range(50)] + ["unknown"] * 50
    asked = []
    read = Remembered._read

    def counted(self: Remembered, digests: Any) -> Any:
        asked.append(len(digests))
        return read(self, digests)

    monkeypatch.setattr(Remembered, "_read", counted)

    async def all_at_once() -> list[Holder | None]:
        return await asyncio.gather(*map(remembered.find, keys))

    found = asyncio.run(all_at_once())

    assert [holder is not None for holder in found] == [True] * 50 + [False] * 50
    assert len(asked) <= 5
    assert sum(asked) <= 55


@contextlib.contextmanager
def hangs(proxy: Proxy) -> Iterator[None]:
    with proxy.hole():
        yield


@contextlib.contextmanager
def is_away(proxy: Proxy) -> Iterator[None]:
    with proxy.refusing():
        assert proxy.reset_all() == 1
        yield


@pytest.mark.parametrize("fault", [hangs, is_away])
def test_without_postgresql_what_is_remembered_holds_for_half_a_minute(
    postgres_proxy: Proxy,
    clock: Clock,
    remembered: Remembered,
    key: str,
    operator: Any,
    fault: Any,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Wait,
) -> None:
    monkeypatch.setattr(remembering, "PATIENCE_SECONDS", 2.0)
    other = tokens.make("other", operator, "read")[1]
    assert who(remembered, key) is not None
    with fault(postgres_proxy):
        began = time.monotonic()
        with pytest.raises(Disconnected, match="PostgreSQL does not answer"):
            find(remembered, other)
        assert time.monotonic() - began < 3
        tokens.revoke(Token.objects.get(name="reader"))
        clock.ahead = HOLD_SECONDS - 5
        assert remembered.known(key) is not None
        clock.ahead = HOLD_SECONDS + 1
        for one in (key, other):
            with pytest.raises(Disconnected, match="PostgreSQL does not answer"):
                remembered.known(one)
    wait_until(lambda: _confirms(remembered), 20)
    assert who(remembered, key) is None
    assert who(remembered, other) is not None


def _confirms(remembered: Remembered) -> bool:
    with contextlib.suppress(Disconnected):
        remembered.known("")
        return True
    return False


def test_while_postgresql_hangs_not_everybody_may_wait(
    postgres_proxy: Proxy, remembered: Remembered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembering, "PATIENCE_SECONDS", 0.5)
    assert who(remembered, "unknown") is None
    monkeypatch.setattr(remembering, "MOST", 10)
    with postgres_proxy.hole():

        async def many() -> list[Any]:
            return await asyncio.gather(
                *(remembered.find(str(number)) for number in range(100)), return_exceptions=True
            )

        for _ in range(2):
            assert {type(one) for one in asyncio.run(many())} == {Disconnected}
            assert len(remembered._asked) <= 10


def test_a_connection_from_before_a_restart_is_no_reason_to_refuse_anybody(
    postgres_proxy: Proxy, remembered: Remembered, key: str, operator: Any
) -> None:
    other = tokens.make("other", operator, "read")[1]
    assert who(remembered, key) is not None
    assert postgres_proxy.reset_all() == 1

    assert find(remembered, other) is not None


def test_what_postgresql_was_restored_to_counts_although_the_number_of_changes_is_the_same(
    remembered: Remembered, key: str, wait_until: Wait
) -> None:
    """A mark that was counted would be what it was."""
    assert who(remembered, key) is not None
    before = RightsMark.objects.get()
    tokens.revoke(Token.objects.get())
    wait_until(lambda: remembered.known(key) is None, SOON)
    RightsMark.objects.update(mark=before.mark)
    Token.objects.update(revoked_at=None)

    wait_until(lambda: who(remembered, key) is not None, SOON)
    tokens.revoke(Token.objects.get())
    assert RightsMark.objects.get().mark != before.mark
    wait_until(lambda: remembered.known(key) is None, SOON)


def test_when_only_the_use_cannot_be_noted_nobody_is_refused(
    remembered: Remembered, key: str, caplog: pytest.LogCaptureFixture, wait_until: Wait
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tokens ADD CONSTRAINT read_only CHECK (last_used_at IS NULL)")
    try:
        assert find(remembered, key) is not None
        wait_until(lambda: "it cannot be noted" in caplog.text)
        assert remembered.known(key) is not None
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tokens DROP CONSTRAINT read_only")
