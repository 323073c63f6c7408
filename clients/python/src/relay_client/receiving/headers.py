"""Headers as any server gives them: by name, or as pairs; text, or bytes; in any case."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from relay_client.errors import BadWebhook


class HasItems(Protocol):
    """Such as the headers of Flask, Starlette, Django, and `http.server`."""

    def items(self) -> Iterable[tuple[Any, Any]]:
        """Names and values."""


Headers = HasItems | Iterable[tuple[str | bytes, str | bytes]]

_OURS: Final = ("webhook-", "relay-", "ce-", "content-type")


def by_name(headers: Headers) -> Mapping[str, str]:
    """Those that are read, by their names in lower case.

    Raises:
        BadWebhook: one of them came twice, so that it is not clear which one is meant.
    """
    found: dict[str, str] = {}
    for name, value in headers.items() if hasattr(headers, "items") else headers:
        lower = _text(name).lower()
        if not lower.startswith(_OURS):
            continue
        if lower in found:
            raise BadWebhook(f"The header {lower} came twice.", reason="headers")
        found[lower] = _text(value)
    return found


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
