"""Tokens: by which a worker says which of its messages it means."""

import re
from dataclasses import dataclass
from typing import Final, Self

_FORM: Final = re.compile(r"([0-9]{1,16})\.([0-9]{1,9})\.([0-9]{13}-[0-9]{10}-[0-9]{5})")


@dataclass(frozen=True, slots=True)
class Token:
    """A message in a generation of its subscription, and the attempt with which it was handed out.

    No other subscription has that generation.

    It is no secret: whoever may consume may settle.
    """

    generation: int
    attempt: int
    position: str

    @classmethod
    def parse(cls, text: object) -> Self | None:
        """None for anything that was never given."""
        match = _FORM.fullmatch(text) if isinstance(text, str) and text.isascii() else None
        return None if match is None else cls(int(match[1]), int(match[2]), match[3])

    def __str__(self) -> str:
        return f"{self.generation}.{self.attempt}.{self.position}"
