"""Reading the settings of a rule, strictly: what is not known is refused, and said with what to do."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from relaycore.errors import BadRule

MOST_KEYS: Final = 5
MOST_NAME_CHARS: Final = 100
MOST_SECONDS: Final = 366 * 24 * 3600
"""Of a length of time in settings: a year."""

MISSING: Final = object()


class Reader:
    """The members of one object of settings, each read once.

    place: where it stands, as a prefix of what is said
    """

    def __init__(self, found: object, place: str = "settings", example: str = "{}") -> None:
        if not isinstance(found, Mapping):
            raise BadRule(f"{place}: Not an object. Write one, such as {example}.")
        self._members: dict[str, Any] = {str(name): value for name, value in found.items()}
        self._place = place

    def take(self, name: str, default: object = MISSING) -> Any:
        """The member as it is."""
        if name not in self._members and default is MISSING:
            raise self.bad(name, "Missing. It has no default.")
        return self._members.pop(name, default)

    def end(self) -> None:
        """Nothing else may be there."""
        if self._members:
            raise self.bad(sorted(self._members)[0], "Not known. Leave it out.")

    def bad(self, name: str, text: str) -> BadRule:
        """What is wrong with a member."""
        return BadRule(f"{self._place}.{name}: {text}")

    def inner(self, name: str, found: object, example: str) -> "Reader":
        """An object in it."""
        return Reader(found, f"{self._place}.{name}", example)

    def truth(self, name: str, default: bool) -> bool:
        """True or false."""
        found = self.take(name, default)
        if not isinstance(found, bool):
            raise self.bad(name, "Neither true nor false.")
        return found

    def seconds(self, name: str) -> int:
        """A length of time, as whole milliseconds."""
        return self.seconds_of(name, self.take(name))

    def seconds_if_given(self, name: str) -> int | None:
        """The same; None if it is not given, or null."""
        found = self.take(name, None)
        return None if found is None else self.seconds_of(name, found)

    def seconds_above(self, name: str, least: str, milliseconds: int) -> int | None:
        """The same of one that is longer than another one, called `least`."""
        found = self.seconds_if_given(name)
        if found is not None and found <= milliseconds:
            raise self.bad(name, f"Not above {least}. Take more, or leave it out.")
        return found

    def seconds_of(self, name: str, found: Any) -> int:
        """The same of what was taken already."""
        if isinstance(found, int | float) and not isinstance(found, bool) and 0.001 <= found <= MOST_SECONDS:
            return round(found * 1000)
        raise self.bad(name, f"Not a number of seconds from 0.001 to {MOST_SECONDS}.")

    def count(self, name: str, least: int, most: int, default: object = MISSING) -> int:
        """A whole number."""
        found = self.take(name, default)
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise self.bad(name, f"Not a whole number from {least} to {most}.")
        return found

    def word(self, name: str, words: Collection[str], default: object = MISSING) -> str:
        """One of some words."""
        found = self.take(name, default)
        if not isinstance(found, str) or found not in words:
            raise self.bad(name, f"Not one of: {', '.join(words)}.")
        return found

    def name(self, name: str, default: object = MISSING) -> str:
        """The name of a field."""
        return self.check_name(name, self.take(name, default))

    def names(
        self, name: str, least: int, default: object = MISSING, but: Collection[str] = ()
    ) -> tuple[str, ...]:
        """A list of names of fields, none twice. `but`: those that are not to be among them."""
        found = self.take(name, default)
        if not isinstance(found, list | tuple) or not least <= len(found) <= MOST_KEYS:
            raise self.bad(name, f"Not a list of {least} to {MOST_KEYS} names of fields.")
        names = tuple(self.check_name(f"{name}[{at}]", one) for at, one in enumerate(found))
        if len(set(names)) < len(names):
            raise self.bad(name, "Has the same field twice. Write it once.")
        if found := sorted(set(names) & set(but)):
            raise self.bad(name, f"Has {found[0]}, which is what the rule itself tells. Take another field.")
        return names

    def check_name(self, name: str, found: object) -> str:
        """That it can be the name of a field, and of a member of a document in MongoDB."""
        if not isinstance(found, str) or not 0 < len(found) <= MOST_NAME_CHARS:
            raise self.bad(name, f"Not the name of a field: a text of 1 to {MOST_NAME_CHARS} characters.")
        if not found.isprintable() or found.startswith("$") or "." in found:
            raise self.bad(name, "Begins with $, or has a dot or what cannot be printed in it.")
        return found
