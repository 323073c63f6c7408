"""How often a message has come back into Relay by a webhook of Relay's own.

An endpoint may be one of Relay's own doors, of this Relay or another one: so one channel is passed on into
others. In a circle that would go on until the disk is full. So a request says how often its message has been
sent by a webhook, this time included; each door asks `came`, keeps that number with the message, among its
attributes, and refuses one that comes too often. A rule passes it on to what it says of the message.

What a rule says because time has passed is said of an alert, which may be of many messages. It says the least
number of them (`least`), from the one on that has opened the alert: so one that came too often has none of
the others refused, whoever has published it. It is enough for a circle: an alert of which all messages have
come by it has a greater number each time, and eight turns after the last message from elsewhere it ends,
however long each turn takes. What says that nothing has come, or of a message that nobody has acknowledged,
says the number of that one message.

Notices of groups say none: they are what receivers of Alertmanager's webhook take, and no alerts for its API.

What a publisher says himself of his messages makes them end sooner, and harms nobody else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from relaycore.errors import Looped

HEADER: Final = "relay-hops"
ATTRIBUTE: Final = "relay-hops"
KEPT: Final = "hops"
MOST: Final = 8
"""As many channels as anybody has in a row, and a circle ends within a moment."""

LOOP: Final = (
    f"This message was sent by a webhook of Relay more than {MOST} times: its channels are passed on in a "
    "circle. Delete one of the subscriptions that do so."
)

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,2}")


def number(said: str | None) -> int:
    """What a header or an attribute says; 0: nothing."""
    return int(said) if said is not None and _NUMBER.fullmatch(said) is not None else 0


def came(said: str | None) -> int:
    """How often webhooks have sent what a door is given, by its header; 0: none has.

    Raises:
        Looped: too often.
    """
    if (found := number(said)) > MOST:
        raise Looped(LOOP)
    return found


def header(documents: Iterable[Mapping[str, Any]]) -> tuple[bytes, bytes]:
    """What a request with these messages, as they are stored, says: of those that came most often."""
    before = max(number((one.get("attributes") or {}).get(ATTRIBUTE)) for one in documents)
    return HEADER.encode(), b"%d" % (before + 1)


def counted(attributes: Mapping[str, str], hops: int) -> Mapping[str, str]:
    """The attributes of a message that has come so often; 0: by no webhook."""
    return {**attributes, ATTRIBUTE: str(hops)} if hops else attributes


def of(attributes: Mapping[str, str]) -> int:
    """How often a message has come, by its attributes."""
    return number(attributes.get(ATTRIBUTE))


def kept(hops: int) -> dict[str, int]:
    """What a rule keeps of it with an alert; nothing: none has sent it, or an older Relay has kept it."""
    return {KEPT: hops} if hops else {}


def known(alert: Mapping[str, Any]) -> int:
    """The same, as it was kept."""
    found = alert.get(KEPT, 0)
    return found if isinstance(found, int) else 0


def least(alert: Mapping[str, Any], hops: int) -> dict[str, Any]:
    """The alert, once a message that has come so often is part of it."""
    return {**{name: value for name, value in alert.items() if name != KEPT}, **kept(min(known(alert), hops))}


def carried(attributes: Mapping[str, str]) -> Mapping[str, str]:
    """What a rule passes on of the attributes of a message that makes it say something."""
    return counted({}, of(attributes))
