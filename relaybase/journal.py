"""The last warnings and errors of all processes, kept in Redis for the home page.

A handler of the root logger; the log itself goes to stderr as ever. Logging must never
wait or fail because of it: a line goes into a bounded queue, and a thread of its own
takes it to Redis. While Redis is away a hundred lines wait.

Lines carry no message bodies: nothing that Relay logs does.
"""

import collections
import json
import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import redis

from relaybase import keys
from relaybase.connections import redis_client, shared_redis

_KEPT: Final = 100
_CHARACTERS: Final = 500
_PAUSE_SECONDS: Final = 1.0

_ELSEWHERE: Final = frozenset({"django.request", "messages_app.writing.quarantine"})
"""Answers such as 404, which are the client's mistake, and what the home page shows in a list of its own."""

_PROBES: Final = frozenset({"healthz", "readyz", "readyz-web"})
"""Asked every few seconds, they would fill the journal with one answer, which the home page gives as well."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of the log."""

    at: datetime
    level: str
    where: str
    text: str


def last(count: int) -> list[JournalLine]:
    """The newest lines, the newest one first.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = cast(list[bytes], shared_redis().lrange(keys.JOURNAL, 0, count - 1))
    lines = []
    for line in map(json.loads, found):
        at = datetime.fromtimestamp(line["at"], UTC)
        lines.append(JournalLine(at, line["level"], line["where"], line["text"]))
    return lines


class Handler(logging.Handler):
    """Keeps warnings and errors."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._waiting: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self._pid = 0
        self._awake = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Take one line; a process that was forked begins with a thread of its own."""
        if (record.levelno < logging.ERROR and record.name in _ELSEWHERE) or _is_not_ready(record):
            return
        try:
            text = " ".join(record.getMessage().split())[:_CHARACTERS]
            where = f"{socket.gethostname()} {record.process} {record.name}"
            line = {"at": record.created, "level": record.levelname, "where": where, "text": text}
            self._begin()
            self._waiting.append(json.dumps(line))
            self._awake.set()
        except Exception:
            self.handleError(record)

    def _begin(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._awake = os.getpid(), threading.Event()
            self._waiting.clear()  # What a parent has not sent yet is the parent's.
            threading.Thread(target=self._run, args=(self._awake,), name="journal", daemon=True).start()

    def _run(self, awake: threading.Event) -> None:
        client: Any = None
        while True:
            awake.wait()
            awake.clear()
            # A storm of lines is one command a second.
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if lines:
                client = client or redis_client()
                try:
                    with client.pipeline(transaction=True) as pipeline:
                        pipeline.lpush(keys.JOURNAL, *lines).ltrim(keys.JOURNAL, 0, _KEPT - 1).execute()
                except (redis.RedisError, OSError):
                    self._waiting.extendleft(reversed(lines))
                    client.close()
                    client = None
                    awake.set()
            time.sleep(_PAUSE_SECONDS)


def _is_not_ready(record: logging.LogRecord) -> bool:
    """Whether it says that a probe was answered with 503."""
    match = getattr(getattr(record, "request", None), "resolver_match", None)
    return getattr(record, "status_code", None) == 503 and match is not None and match.url_name in _PROBES
