"""Each message once per format, however many subscriptions it goes to."""

from collections import OrderedDict
from typing import Any, Final

from relaycore.sending.formats.choosing import single
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

    def of(self, format: Format, document: dict[str, Any]) -> Encoded:
        """This message in this format."""
        key = (format, document["_id"].binary)
        if (found := self._kept.get(key)) is not None:
            return found
        encoded = single(format, document, self._base)
        self._kept[key] = encoded
        self._bytes += len(encoded.body)
        while len(self._kept) > _MOST or self._bytes > _MOST_BYTES:
            _, gone = self._kept.popitem(last=False)
            self._bytes -= len(gone.body)
        return encoded
