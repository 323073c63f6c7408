"""What a token may do, and on which channels: its grants.

A grant is a scope and patterns of channel names (`relaycore.globs`). As JSON, in which they are kept:

    [{"scope": "publish", "channels": ["orders.*"]}, {"scope": "read", "channels": ["orders.*", "prices"]}]

===========  ==========================================  ==========================
scope        what it is for                              what it includes
===========  ==========================================  ==========================
`read`       look at channels, gaps and messages
`consume`    read, and move what is read to and fro      `read`
`publish`    publish by HTTP
`manage`     start, change and stop channels             `read`, `consume`, `publish`
===========  ==========================================  ==========================

A right is what a request needs: one of the scopes.
"""

import functools
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaycore.channels import MAX_NAME_BYTES
from relaycore.errors import BadGrants
from relaycore.globs import Glob, escaped

READ: Final = "read"
CONSUME: Final = "consume"
PUBLISH: Final = "publish"
MANAGE: Final = "manage"

SCOPES: Final = (READ, CONSUME, PUBLISH, MANAGE)

INCLUDES: Final[Mapping[str, frozenset[str]]] = {
    READ: frozenset({READ}),
    CONSUME: frozenset({CONSUME, READ}),
    PUBLISH: frozenset({PUBLISH}),
    MANAGE: frozenset(SCOPES),
}

EVERYTHING: Final = "*"

MOST_PATTERNS: Final = 100
"""In one grant."""

_MOST_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Grant:
    """A scope, and the patterns of the channels that it is for."""

    scope: str
    channels: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.scope} {' '.join(self.channels)}"


class Grants:
    """All that one token has been granted. Never changed; `allow` may be asked from any thread."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self._grants = tuple(grants)
        self._globs = {
            right: tuple(
                Glob(pattern)
                for pattern in dict.fromkeys(
                    pattern
                    for grant in self._grants
                    if right in INCLUDES[grant.scope]
                    for pattern in grant.channels
                )
            )
            for right in SCOPES
        }

    def globs(self, right: str) -> tuple[Glob, ...]:
        """The channels with this right are those that one of these matches."""
        return self._globs.get(right, ())

    def is_everywhere(self, right: str) -> bool:
        """Whether it is granted on every channel."""
        return any(glob.pattern == EVERYTHING for glob in self.globs(right))

    def allow(self, right: str, channel: str | None = None) -> bool:
        """Whether they include this right on the channel; None: on any channel."""
        globs = self.globs(right)
        return bool(globs) if channel is None else any(glob.matches(channel) for glob in globs)

    def refusal(self, right: str, channel: str | None = None) -> str | None:
        """A sentence that says why they do not; None if they do."""
        if self.allow(right, channel):
            return None
        globs = self.globs(right)
        if not self._grants:
            return "This token has no scope."
        if not globs:
            return f'This token has the scope {self._scopes()}, which does not include "{right}".'
        where = ", ".join(glob.pattern for glob in globs[:_MOST_SHOWN])
        more = ", …" if len(globs) > _MOST_SHOWN else ""
        return f'This token has the scope "{right}" on {where}{more}. "{channel}" is none of these channels.'

    def as_json(self) -> list[dict[str, Any]]:
        """The form in which `parse` takes them."""
        return [{"scope": grant.scope, "channels": list(grant.channels)} for grant in self._grants]

    def __iter__(self) -> Iterator[Grant]:
        return iter(self._grants)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grants) and self._grants == other._grants

    def __hash__(self) -> int:
        return hash(self._grants)

    def __str__(self) -> str:
        return ", ".join(map(str, self._grants))

    def _scopes(self) -> str:
        return " and ".join(f'"{scope}"' for scope in dict.fromkeys(grant.scope for grant in self._grants))


def everywhere(scope: str) -> Grants:
    """One scope on every channel.

    Raises:
        BadGrants: there is no such scope.
    """
    return parse([{"scope": scope, "channels": [EVERYTHING]}])


def literally(scope: str, names: Iterable[str]) -> Grants:
    """One scope on the channels of just these names."""
    return Grants([Grant(scope, tuple(escaped(name) for name in names))])


def parse(value: object) -> Grants:
    """Read grants from decoded JSON.

    Raises:
        BadGrants: with a sentence that says what is wrong.
    """
    if not isinstance(value, list) or not value:
        raise BadGrants("Grants are a list of at least one scope with channels.")
    return _grants(tuple(map(_grant, value)))


# Few differ, and each is asked for its rights once per message.
_grants = functools.lru_cache(maxsize=1024)(Grants)


def _grant(value: object) -> Grant:
    match value:
        case {"scope": str(scope), "channels": [*channels], **rest} if not rest:
            if scope not in SCOPES:
                raise BadGrants(f'There is no scope "{scope}", but {", ".join(SCOPES)}.')
            if not 1 <= len(channels) <= MOST_PATTERNS:
                raise BadGrants(f'"{scope}" needs 1 to {MOST_PATTERNS} patterns of channel names.')
            return Grant(scope, tuple(map(_pattern, channels)))
    raise BadGrants('A grant is {"scope": …, "channels": [patterns]}.')


def _pattern(value: object) -> str:
    if not isinstance(value, str) or not value or any(map(_is_unfit, value)):
        raise BadGrants("A pattern of channel names is text without control characters, such as orders.*")
    if len(value.encode()) > MAX_NAME_BYTES:
        raise BadGrants(f"A pattern of channel names has at most {MAX_NAME_BYTES} bytes.")
    return value


def _is_unfit(char: str) -> bool:
    """What no channel name has, and half a surrogate pair."""
    return unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
