"""Which messages of a channel a subscription gets, and by which key, by what it is set to."""

from typing import Any

from relaycore.delivering.holding import Earlier, chosen_by, key_of
from relaycore.delivering.reading import Document, KeyOf, Wants
from relaycore.filtering.policy import parse
from subscribers_app.models import Subscription
from subscribers_app.remembering import KnownSubscription


class Choosing:
    """Of one subscription.

    wants:  which messages above the cursor are for it; None: all
    key_of: their keys; None: there is no order by a field
    """

    def __init__(self, known: KnownSubscription) -> None:
        self._field = known.order_field
        self._earlier = [
            Earlier(one.generation, one.upto, _wants(*one.chosen)) for one in known.earlier_filters
        ]
        self.wants = _wants(known.filter, known.filter_scope)
        self.key_of: KeyOf | None = self._key_of if self._field else None

    def key_below(self, document: Document, generation: int) -> str:
        """The key of a message that the cursor has passed; empty: it has none, or was not for it."""
        wants = chosen_by(document["position"], generation, self._earlier, self.wants)
        return self._key_of(document) if wants is None or wants(document) else ""

    def _key_of(self, document: Document) -> str:
        return key_of(document["message"], self._field)


def _wants(filter: Any, scope: str) -> Wants | None:
    if filter is None:
        return None
    wanted = parse(filter, scope)
    if scope == Subscription.Scope.ATTRIBUTES:
        return lambda document: wanted.matches_attributes(document.get("attributes"))
    return lambda document: wanted.matches_body(document["message"])
