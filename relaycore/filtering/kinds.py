"""Operators that take text: what each looks for, and of what."""

import ipaddress
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relaycore.filtering import wildcards
from relaycore.filtering.leaves import Values


@dataclass(frozen=True, slots=True)
class Kind:
    """An operator that takes text, of which several are put together.

    fits: whether something is as one of these patterns say
    what: it is asked of, of all that is at a key
    """

    fits: Callable[[Sequence[str]], Callable[[Any], bool]]
    what: Callable[[Values], Iterable[Any]]


def _prefix(patterns: Sequence[str]) -> Callable[[str], bool]:
    begins = tuple(patterns)
    return lambda text: text.startswith(begins)


def _suffix(patterns: Sequence[str]) -> Callable[[str], bool]:
    ends = tuple(patterns)
    return lambda text: text.endswith(ends)


def _ignoring_case(patterns: Sequence[str]) -> Callable[[str], bool]:
    return frozenset(pattern.casefold() for pattern in patterns).__contains__


def _wildcard(patterns: Sequence[str]) -> Callable[[str], bool]:
    parts = [wildcards.pieces(pattern) or [] for pattern in patterns]
    return lambda text: any(wildcards.fits(text, one) for one in parts)


def _cidr(patterns: Sequence[str]) -> Callable[[tuple[int, int]], bool]:
    # By version and host bits: there are fewer of these than networks.
    networks: dict[tuple[int, int], set[int]] = {}
    for network in (ipaddress.ip_network(pattern, strict=False) for pattern in patterns):
        bits = network.max_prefixlen - network.prefixlen
        networks.setdefault((network.version, bits), set()).add(int(network.network_address) >> bits)

    def fits(address: tuple[int, int]) -> bool:
        version, number = address
        return any(of == version and number >> bits in found for (of, bits), found in networks.items())

    return fits


_texts: Final = operator.attrgetter("texts")

KINDS: Final[Mapping[str, Kind]] = {
    "prefix": Kind(_prefix, _texts),
    "suffix": Kind(_suffix, _texts),
    "equals-ignore-case": Kind(_ignoring_case, operator.attrgetter("folded")),
    "wildcard": Kind(_wildcard, _texts),
    "cidr": Kind(_cidr, operator.attrgetter("addresses")),
}
