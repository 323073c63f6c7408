"""Log lines as JSON, one object each, for those who collect them.

What a line is about stands in fields of its own: in which request or task it was written, and of which
partition, channel, term or position it speaks. A loop says once what all its lines are about.
"""

import contextlib
import json
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, copy_context
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # Settings are read before there is anything to configure Django with.
    from django.http import HttpRequest, HttpResponseBase

request_id: ContextVar[str] = ContextVar("request_id", default="")

HEADER: Final = "X-Request-ID"
_MOST_CHARACTERS: Final = 64

FIELDS: Final = ("channel", "partition", "shard", "epoch", "position")
"""What a line may say beside its text: `log.info(..., extra={"partition": 0})`. Never a message."""


_about: ContextVar[Mapping[str, object]] = ContextVar("about", default=MappingProxyType({}))


def configuration(form: str, level: str) -> dict[str, Any]:
    """What is logged, and how, as `logging.config` takes it. `form`: line or json."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
            "json": {"()": "relaybase.logs.AsJSON"},
        },
        "filters": {"context": {"()": "relaybase.logs.WithContext"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": form, "filters": ["context"]},
            "journal": {"class": "relaybase.journal.Handler"},
        },
        "root": {"handlers": ["stderr", "journal"], "level": level},
        "loggers": {
            "pymongo": {"level": "WARNING"},
            # A warning for each request that is the client's mistake would hide those that are ours.
            "django.request": {"level": "ERROR"},
            # Two lines for each proposal, day and night, would hide everything else.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }


@contextlib.contextmanager
def about(**fields: object) -> Iterator[None]:
    """What is logged meanwhile, here and in a `thread`, has these fields: `FIELDS`, or `task_id`."""
    held = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(held)


def thread(target: Callable[[], None], name: str) -> threading.Thread:
    """A daemon thread whose log lines are about the same as those of the thread that makes it."""
    return threading.Thread(target=copy_context().run, args=(target,), name=name, daemon=True)


class WithContext(logging.Filter):
    """Adds to each line in which request, or in which task, it was written."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it through."""
        record.request_id = request_id.get()
        record.task_id = _task_id()
        for name, value in _about.get().items():
            if not getattr(record, name, ""):
                setattr(record, name, value)
        return True


class AsJSON(logging.Formatter):
    """Time, level, logger, text, and what else is known."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "text": record.getMessage(),
        }
        for name in ("request_id", "task_id", *FIELDS):
            if (value := getattr(record, name, None)) not in (None, ""):
                line[name] = value
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class GiveRequestId:
    """Middleware: the id that a proxy gave to the request, or a new one; the answer has it as well."""

    def __init__(self, get_response: "Callable[[HttpRequest], HttpResponseBase]") -> None:
        self._get_response = get_response

    def __call__(self, request: "HttpRequest") -> "HttpResponseBase":
        with within(request.headers.get(HEADER, "")) as known_as:
            answer = self._get_response(request)
            answer[HEADER] = known_as
            return answer


class within:  # noqa: N801  It is called like `about`.
    """What is logged meanwhile was written in a request with this id, or a new one if it cannot be one.

    A class, since it is entered once for each request: a generator takes three times as long.
    """

    __slots__ = ("_held", "_id")

    def __init__(self, given: str) -> None:
        plain = given.isascii() and given.replace("-", "").isalnum() and len(given) <= _MOST_CHARACTERS
        # Nobody has to be kept from guessing it, and the system's own chance is a call to the kernel.
        self._id = given if plain else f"{random.getrandbits(128):032x}"

    def __enter__(self) -> str:
        self._held = request_id.set(self._id)
        return self._id

    def __exit__(self, *_: object) -> None:
        request_id.reset(self._held)


def _task_id() -> str:
    from celery import current_task  # noqa: PLC0415 -- logging is set up before Celery may be imported

    return str(current_task.request.id or "") if current_task else ""
