"""Each message once per format, however many subscriptions it goes to."""

from collections import OrderedDict
from typing import Any, Final, NamedTuple, Self

from relaycore.sending.batches.batch import Batch
from relaycore.sending.formats import choosing
from relaycore.sending.formats.format import Encoded, Format
from relaycore.sending.items import Item
from webhooks_app.http.target import lines

_MOST: Final = 4096
_MOST_BYTES: Final = 16 << 20


class Ready(NamedTuple):
    """One request, without what belongs to an endpoint or an attempt.

    id:    the `webhook-id`
    lines: what is said of the body, as it is sent
    """

    id: str
    lines: bytes
    body: bytes

    @classmethod
    def of(cls, encoded: Encoded) -> Self:
        """Raises BadHeaders if something stands there that is no header."""
        return cls(encoded.id, lines(encoded.headers), encoded.body)


class Encoding:
    """What was encoded lately. Whatever is sent to many at the tail is sent within moments.

    base: the public address of Relay, or empty
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._kept: OrderedDict[tuple[bytes, Format], Ready] = OrderedDict()
        self._bytes = 0

    def of(self, format: Format, item: Item | Batch) -> Ready:
        """This message, or these together, in this format.

        Raises:
            BadHeaders: what is to be said of it cannot be.
        """
        if isinstance(item, Batch):
            return self._together(format, item)
        key = item.id, format
        return self._kept.get(key) or self._keep(key, self._encoded(format, item.document))

    def _together(self, format: Format, batch: Batch) -> Ready:
        bodies = [self.of(format, one).body for one in batch.items]
        return Ready.of(choosing.batch(format, [one.document for one in batch.items], bodies))

    def _encoded(self, format: Format, document: dict[str, Any]) -> Encoded:
        """By itself; in a format for batches, as it stands there."""
        if format.is_batch:
            return Encoded(str(document["_id"]), (), choosing.item(format, document, self._base))
        return choosing.single(format, document, self._base)

    def _keep(self, key: tuple[bytes, Format], encoded: Encoded) -> Ready:
        self._kept[key] = ready = Ready.of(encoded)
        self._bytes += len(ready.body)
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone.body)
        return ready
