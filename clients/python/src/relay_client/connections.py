"""The way to Relay. Requests are `Call`s, answers are read by `answers`; `streams` is for what goes on.

A key is in one header of each request, and nowhere else: not in reprs, errors or logs. Redirections are not
followed, so that it goes to nobody else.
"""

import asyncio
import platform
import random
import re
import ssl
import time
from typing import Final
from urllib.parse import urlsplit

import httpx2

from relay_client import backoff
from relay_client.answers import Answer, checked
from relay_client.calls import Call
from relay_client.errors import RelayError, Throttled, Unavailable, Unreachable, asked_to_wait, may_pass
from relay_client.version import __version__

_UNSENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
    httpx2.InvalidURL,
)
_USER_AGENT: Final = f"relay-client/{__version__} Python/{platform.python_version()}"


class Address:
    """Where Relay is, and the headers of each request."""

    def __init__(self, url: str, key: str) -> None:
        """`url`: of the site, without `/api/v1`.

        Raises:
            ValueError: one of them cannot be used. It does not say what the key is.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("The address of Relay begins with https:// or http:// and a host.")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("The address of Relay has no user, no parameters and no fragment in it.")
        if not re.fullmatch(r"[!-~]+", key):
            raise ValueError("The key is not one that Relay gives: it has other characters, or none.")
        self.site = url.rstrip("/")
        self.headers: Final = {"Authorization": f"Bearer {key}", "User-Agent": _USER_AGENT}

    def __repr__(self) -> str:
        return f"<{self.site}>"

    def to(self, call: Call) -> str:
        """The whole address of a call."""
        return f"{self.site}/api/v1{call.path}"


class Connection:
    """Kept connections, for threads. May be shared by them."""

    def __init__(
        self,
        address: Address,
        *,
        timeout_seconds: float,
        verify: ssl.SSLContext | bool,
        transport: httpx2.BaseTransport | None,
    ) -> None:
        self._address = address
        self._http = httpx2.Client(
            headers=address.headers, timeout=timeout_seconds, verify=verify, transport=transport
        )

    def answer(self, call: Call) -> Answer:
        """What comes back.

        Raises:
            Unreachable: nothing does.
        """
        try:
            got = self._http.request(
                call.method, self._address.to(call), content=call.content, headers=call.headers
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise unreachable(exc) from exc
        return _read(got)

    def ask(self, call: Call, patience: "Patience") -> Answer:
        """The answer, if it is no error; asked for again where that is harmless.

        Raises:
            RelayError: the last one, if there are several.
        """
        while True:
            try:
                return checked(self.answer(call))
            except RelayError as error:
                if (pause := patience.pause(call, error)) is None:
                    raise
            time.sleep(pause)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


class AsyncConnection:
    """The same for asyncio."""

    def __init__(
        self,
        address: Address,
        *,
        timeout_seconds: float,
        verify: ssl.SSLContext | bool,
        transport: httpx2.AsyncBaseTransport | None,
    ) -> None:
        self._address = address
        self._http = httpx2.AsyncClient(
            headers=address.headers, timeout=timeout_seconds, verify=verify, transport=transport
        )

    async def answer(self, call: Call) -> Answer:
        """As `Connection.answer`."""
        try:
            got = await self._http.request(
                call.method, self._address.to(call), content=call.content, headers=call.headers
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise unreachable(exc) from exc
        return _read(got)

    async def ask(self, call: Call, patience: "Patience") -> Answer:
        """As `Connection.ask`."""
        while True:
            try:
                return checked(await self.answer(call))
            except RelayError as error:
                if (pause := patience.pause(call, error)) is None:
                    raise
            await asyncio.sleep(pause)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()


class Patience:
    """For how long one question is asked again when nobody answers it."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._failures = 0
        self._chance = random.Random()

    def pause(self, call: Call, error: RelayError) -> float | None:
        """Seconds until it is asked again; None: it is not."""
        if not call.may_be_repeated or not isinstance(error, Throttled | Unavailable | Unreachable):
            return None
        if not may_pass(error):
            return None
        self._failures += 1
        pause = backoff.delay(self._failures, self._chance.random(), asked_to_wait(error))
        return pause if time.monotonic() + pause < self._until else None


def unreachable(exc: httpx2.HTTPError | httpx2.InvalidURL) -> Unreachable:
    """An error of the HTTP client as ours."""
    text = f"Relay does not answer: {type(exc).__name__}"
    return Unreachable(
        f"{text}: {exc}" if str(exc) else text,
        was_sent=not isinstance(exc, _UNSENT),
        may_pass=not isinstance(exc, httpx2.InvalidURL),
    )


def _read(got: httpx2.Response) -> Answer:
    headers = {name.lower(): value for name, value in got.headers.items()}
    return Answer(got.status_code, headers, got.content)
