"""What a kind of subscription says of itself, and the kinds that there are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.serializers import Field

from subscribers_app.models import Subscription


class Making:
    """What is made along with subscriptions: nothing."""

    def attach(self, rows: Sequence[Subscription]) -> None:
        """Called in the transaction that makes them, once they have their numbers."""

    def on_record(self) -> dict[str, Any]:
        """What the audit log is to say beside what all have. It is asked after `attach`."""
        return {}

    def told(self) -> dict[str, Any]:
        """What only the answer to who has made them says."""
        return {}


class Kind:
    """One that is pulled. Whoever registers another one overrides what it has more.

    is_pulled: whether clients hand out of it, by fetch
    """

    name: str = Subscription.Kind.PULL
    is_pulled: bool = True

    def fields(self, *, is_new: bool) -> Mapping[str, Field]:  # type: ignore[type-arg]
        """Of a body that makes one, or changes one: beside those that all have. None has a default."""
        return {}

    def body_schema(self) -> Mapping[str, Any]:
        """These fields, as JSON Schema describes them."""
        return {}

    def row_fields(self) -> Mapping[str, Field]:  # type: ignore[type-arg]
        """Of the row that the API shows: beside those that all have. They are null in rows of other kinds."""
        return {}

    def begin(self, request: Request, name: str, given: Mapping[str, Any]) -> Making:
        """Subscriptions of this kind are to be made, for whoever asks, by what he says of `fields`.

        Raises:
            PermissionDenied, RelayError: he may not, or it cannot be meant.
        """
        return Making()

    def change(self, row: Subscription, given: Mapping[str, Any]) -> None:
        """Called in the transaction that changes one, with what is said of `fields`; the row is locked.

        Raises:
            RelayError: it cannot be meant.
        """

    def shown(self, rows: Sequence[Subscription]) -> Mapping[int, Mapping[str, Any]]:
        """Of each of these: its `row_fields`, and what replaces members that all have."""
        return {}

    def in_state(self, state: str) -> Q:
        """Those of this kind that are shown in this state, as a condition on subscriptions."""
        return Q(kind=self.name, state=state)


_kinds: dict[str, Kind] = {Kind.name: Kind()}


def register(kind: Kind) -> None:
    """There is this kind, from now on. Called once, when Django has its models."""
    _kinds[kind.name] = kind


def of(name: str) -> Kind:
    """The kind of this name."""
    return _kinds[name]


def every() -> Iterator[Kind]:
    """All of them, the one that is pulled first."""
    return iter(_kinds.values())


def row_fields() -> dict[str, Field]:  # type: ignore[type-arg]
    """What any kind shows."""
    return {name: field for kind in every() for name, field in kind.row_fields().items()}


def shown(rows: Sequence[Subscription]) -> dict[int, dict[str, Any]]:
    """What kinds show of each of these rows, by its number; what is another kind's is None."""
    found = {row.pk: dict[str, Any].fromkeys(row_fields()) for row in rows}
    for kind in every():
        if own := [row for row in rows if row.kind == kind.name]:
            for pk, members in kind.shown(own).items():
                found[pk] |= members
    return found
