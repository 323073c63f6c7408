"""What makes two messages the same: the deduplication policy of a channel.

Operators write it as JSON, in the API and in the admin:

=====================  ==========================================================
`"content"`            the same text on the same channel is stored once, for ever
`{"field": "id"}`      messages whose JSON field `id` is equal are stored once
`"every"`              every publish is stored
=====================  ==========================================================
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from relaycore.errors import BadPolicy

Kind = Literal["content", "field", "every"]

MAX_FIELD_LENGTH: Final = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """A deduplication policy. `field` is empty unless `kind` is "field"."""

    kind: Kind = "content"
    field: str = ""

    def as_json(self) -> str | dict[str, str]:
        """The form in which `parse` takes it."""
        return {"field": self.field} if self.kind == "field" else self.kind

    def __str__(self) -> str:
        return f"field {self.field}" if self.kind == "field" else self.kind


CONTENT: Final = Policy("content")
EVERY: Final = Policy("every")


def parse(value: object) -> Policy:
    """Read a policy from decoded JSON.

    Raises:
        BadPolicy: with a sentence that shows the three forms.
    """
    match value:
        case "content":
            return CONTENT
        case "every":
            return EVERY
        case {"field": str(field), **rest} if not rest and _is_field_name(field):
            return Policy("field", field)
    raise BadPolicy(
        'deduplicate must be "content", "every" or {"field": "NAME"}, '
        f"where NAME has 1 to {MAX_FIELD_LENGTH} characters, none of them NUL."
    )


def _is_field_name(text: str) -> bool:
    # What JSON can write and PostgreSQL's jsonb cannot keep: NUL, and half a surrogate pair.
    return 1 <= len(text) <= MAX_FIELD_LENGTH and not re.search("[\0\ud800-\udfff]", text)
