"""PostgreSQL's clock, in queries: no clock of a host decides anything, so none has to be right."""

from typing import Final

from django.db import models
from django.db.models import Func

NOW_MS: Final = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
"""In a statement that is written by hand: ms since 1970."""


class ClockTimestamp(Func):
    """PostgreSQL's clock, now: not the start of the transaction, as `Now()` may be."""

    function = "clock_timestamp"
    output_field = models.DateTimeField()


class Seconds(Func):
    """A number of seconds as an interval."""

    function = "make_interval"
    template = "%(function)s(secs => %(expressions)s)"
    output_field = models.DurationField()
