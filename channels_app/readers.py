"""Who reads a channel, and is not to be lost with it by accident.

The table of channels does not know what is made of them above it. PostgreSQL refuses to remove a channel that
something hangs on; how subscriptions are removed with it, the roof says (`remove_by`). A rule that reads or
writes it is never taken along: it is about another channel as well.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from django.db.models import Model

from relaycore.errors import ChannelHasSubscriptions

Remove = Callable[[Sequence[str]], None]
"""Remove whatever reads these channels, audited, in the transaction that removes them."""

_NAMED: Final = 3

_known: Final[list[Remove]] = []
"""One, or none before Django is ready."""


def remove_by(remove: Remove) -> None:
    """This removes whoever reads."""
    _known[:] = [remove]


def remove(channels: Sequence[str]) -> None:
    """Remove whoever reads these channels, which are locked."""
    for remove_of in _known:
        remove_of(channels)


def refusal(hanging: Iterable[Model]) -> ChannelHasSubscriptions:
    """The error for a channel on which these hang."""
    names = sorted(map(str, hanging))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    said = f"{', '.join(names[:_NAMED])}{more}"
    return ChannelHasSubscriptions(
        f"It is read by {said}, or made by them. Delete these first, as is the way in the admin, or take "
        "subscriptions along: DELETE with ?cascade=true, manage.py channels stop with --cascade. Rules are "
        "never taken along."
    )
