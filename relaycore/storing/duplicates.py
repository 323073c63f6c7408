"""What MongoDB means when it says that a key is there already (E11000).

Only a duplicate `_id` says that a message was stored before. Any other unique index on
the collection is somebody else's: it refuses messages that were never stored.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

DUPLICATE_KEY: Final = 11000

ID_INDEX: Final = "_id_"

_NAMED: Final = re.compile(r" index: (.+?) dup key:")


def offended(error: Mapping[str, Any]) -> str:
    """The name of the unique index that a write error with this code is about; empty if it does not say.

    `error`: an element of `writeErrors`. Its text has what was written, and is not to be logged.
    """
    if dict(error.get("keyPattern") or {}) == {"_id": 1}:
        return ID_INDEX
    found = _NAMED.search(str(error.get("errmsg", "")))
    name = found[1] if found else ""
    # The pattern of the key decides where it is there: an index may have any name but this one.
    return "" if name == ID_INDEX and error.get("keyPattern") else name


def is_stored_before(error: Mapping[str, Any]) -> bool:
    """Whether a write error with this code says that the very `_id` is there. In doubt it does not."""
    return offended(error) == ID_INDEX


def refusal(error: Mapping[str, Any]) -> str:
    """Why the document was refused, for an operator: the index and its fields, nothing of the document."""
    name, fields = offended(error), ", ".join(error.get("keyPattern") or {})
    which = f'The unique index "{name}"' if name else "A unique index"
    same = f"another document has the same {fields}" if fields else "another document has the same key"
    return f"{which} refuses it: {same}. Relay has no unique index but that of _id: drop this one."
