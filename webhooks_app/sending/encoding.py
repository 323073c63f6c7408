"""Each message once per format, however many subscriptions it goes to."""

from collections import OrderedDict
from typing import Any, Final

from relaycore.sending.batches.batch import Batch
from relaycore.sending.formats import choosing
from relaycore.sending.formats.format import Encoded, Format

_MOST: Final = 4096
_MOST_BYTES: Final = 16 << 20


class Encoding:
    """What was encoded lately. Whatever is sent to many at the tail is sent within moments.

    base: the public address of Relay, or empty
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._kept: OrderedDict[tuple[Format, bytes], Encoded] = OrderedDict()
        self._bytes = 0

    def of_batch(self, format: Format, batch: Batch) -> Encoded:
        """These messages, together, in this format."""
        parts = [self.of(format, one.document) for one in batch.items]
        return choosing.batch(format, [one.id for one in parts], [one.body for one in parts])

    def of(self, format: Format, document: dict[str, Any]) -> Encoded:
        """This message in this format; of one for batches, what it is there."""
        key = (format, document["_id"].binary)
        if (found := self._kept.get(key)) is not None:
            return found
        if format.is_batch:
            encoded = Encoded(str(document["_id"]), (), choosing.item(format, document, self._base))
        else:
            encoded = choosing.single(format, document, self._base)
        self._kept[key] = encoded
        self._bytes += len(encoded.body)
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone.body)
        return encoded
