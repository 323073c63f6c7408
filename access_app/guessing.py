"""How often a password may be wrong: for each account, and from each address.

Counted is each attempt before its password is looked at, so that many at once are no way around it; a right
one takes its own back, and so does one whose password nobody has looked at in the end. It is counted in
Redis, so for all web processes together, and for names that nobody has as well: no answer tells whether
there is such an account. Without Redis nobody is refused, as everywhere (`relaybase.http.throttling`); then
only `hashing` holds guesses back.

Who guesses must not be able to lock somebody out. So an address from which an account has logged in within
the last `KNOWN_SECONDS` has a count of its own for it, which strangers do not touch.
"""

import logging
import time
import unicodedata
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Final

import redis
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.errors import TooManyGuesses

log = logging.getLogger(__name__)

WINDOW_SECONDS: Final = 300
OF_AN_ACCOUNT: Final = 10
"""Attempts in one window: from all addresses that it is not known from; from each that it is."""

FROM_AN_ADDRESS: Final = 30
"""For all accounts. More: several people may share one."""

KNOWN_SECONDS: Final = 30 * 86_400


class LimitedBackend(ModelBackend):
    """Django's own, which asks `Attempt` first."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **more: Any,
    ) -> Any:
        """The user, if it is his password.

        Raises:
            TooManyGuesses: nobody looks at it.
            django.db.Error: PostgreSQL does not say what it is.
        """
        if username is None or password is None:
            return None
        attempt = Attempt(username, request.META.get("REMOTE_ADDR", "") if request else "")
        attempt.begin()
        try:
            user = super().authenticate(request, username, password, **more)
        except Exception:
            attempt.take_back()
            raise
        if user is not None:
            attempt.succeed()
        return user


class Attempt:
    """One attempt to log in to an account, by its name, from an address."""

    def __init__(self, account: str, address: str) -> None:
        self._address = address
        self._account = _digest(unicodedata.normalize("NFKC", account).casefold())
        self._network = _network(address)
        self._counts: tuple[str, ...] = ()

    def begin(self) -> None:
        """Count it.

        Raises:
            TooManyGuesses: it is one too many.
        """
        window, into = divmod(_now(), WINDOW_SECONDS)
        try:
            counted = self._count(int(window))
        except redis.RedisError as exc:
            log.warning("Redis does not answer, so attempts to log in are not counted: %s", exc)
            return
        for (what, most), count in zip(_LIMITS, counted, strict=True):
            if count > most:
                seconds = int(WINDOW_SECONDS - into) + 1
                if count == most + 1:
                    log.warning("too many wrong passwords %s, the last from %s", what, self._address)
                raise TooManyGuesses(f"Too many wrong passwords. Try again in {seconds} seconds.", seconds)

    def succeed(self) -> None:
        """It was no guess. From now on the account is known from there."""
        self._uncount(is_known=True)

    def take_back(self) -> None:
        """Nobody has looked at the password."""
        self._uncount(is_known=False)

    def _uncount(self, *, is_known: bool) -> None:
        try:
            with shared_redis().pipeline(transaction=True) as pipeline:
                for key in self._counts:
                    pipeline.incr(key, -1)
                if is_known:
                    pipeline.set(self._known, 1, ex=KNOWN_SECONDS)
                pipeline.execute()
        except redis.RedisError as exc:
            log.warning("Redis does not answer, so an attempt stays counted that was no wrong one: %s", exc)

    @property
    def _known(self) -> str:
        return keys.requests(f"known:{self._account}:{self._network}", 0)

    def _count(self, window: int) -> list[int]:
        client = shared_redis()
        known = self._network if client.exists(self._known) else ""
        counts = (f"guess:{self._account}:{known}", f"guess::{self._network}")
        self._counts = tuple(keys.requests(of, window) for of in counts)
        with client.pipeline(transaction=True) as pipeline:
            for key in self._counts:
                pipeline.incr(key)
                pipeline.expire(key, 2 * WINDOW_SECONDS)
            return [int(count) for count in pipeline.execute()[::2]]


_LIMITS: Final = (("for an account", OF_AN_ACCOUNT), ("from an address", FROM_AN_ADDRESS))


def _now() -> float:
    return time.time()


def _network(address: str) -> str:
    """Whoever has an IPv6 address has 2^64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return _digest(address)
    return str(ip_network(f"{found}/64", strict=False)) if isinstance(found, IPv6Address) else str(found)


def _digest(text: str) -> str:
    """What somebody typed as a name may be his password: nobody can guess it from this."""
    return salted_hmac("access_app.guessing", text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
