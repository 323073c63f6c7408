"""Until when what ended undelivered stays on record."""

import pytest

from relaycore.delivering.forgetting import kept_seconds

DAY = 86_400


@pytest.mark.parametrize(
    ("retention", "kept"),
    [
        (None, None),
        (60, 30 * DAY),
        (30 * DAY, 30 * DAY),
        (30 * DAY + 1, 30 * DAY + 1),
        (365 * DAY, 365 * DAY),
    ],
)
def test_as_long_as_the_messages_and_a_month_at_least(retention: int | None, kept: int | None) -> None:
    assert kept_seconds(retention) == kept
