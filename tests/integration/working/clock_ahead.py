"""Celery on a host whose clock is a day ahead of that of whoever sends.

python -m tests.integration.working.clock_ahead -A relayproject worker ...
"""

from datetime import datetime, timedelta, tzinfo
from typing import Self

from celery.__main__ import main
from celery.worker import request


class _Ahead(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(days=1)


request.datetime = _Ahead

if __name__ == "__main__":
    main()
