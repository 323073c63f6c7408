"""Where MongoDB is, as `MONGO_URL` says it.

The driver's options are honoured, but for the few that Relay's promises stand on: those are refused.
No Django, and no look-up of a name: with `mongodb+srv://` the driver asks the DNS when it connects.
"""

import re
import warnings
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, quote

from pymongo.errors import ConfigurationError, InvalidURI
from pymongo.uri_parser import parse_uri, split_options

SHAPE: Final = "mongodb://user:password@host:27017 or mongodb+srv://user:password@name"

_SRV: Final = "mongodb+srv"
_ONLY_SRV: Final = ("srvservicename", "srvmaxhosts", "srvallowedhostssuffix")

_FIXED: Final[Mapping[str, tuple[str, str]]] = {
    "w": ("majority", "acknowledged is what a majority has"),
    "journal": ("true", "acknowledged is what is in the journal"),
    "retrywrites": ("true", "Relay writes so that it may be repeated"),
    "tz_aware": ("true", "times are in UTC"),
}
"""Options, the one value that they may have, and why."""

_OURS: Final[Mapping[str, str]] = {
    "timeoutms": "set RELAY_MONGO_TIMEOUT_SECONDS and RELAY_WEB_MONGO_TIMEOUT_SECONDS",
    "wtimeoutms": "set RELAY_MONGO_TIMEOUT_SECONDS",
    "datetimeconversion": "a time that Python does not have is shown as the next that it has",
    "unicode_decode_error_handler": "a message is shown as it is",
}
"""Options that nobody else may set, and what there is instead."""


def require_usable(url: str) -> None:
    """See whether a client can be made of it.

    Raises:
        ValueError: what is wrong with it, as the end of a sentence, without any password.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in {"mongodb", _SRV} or not rest:
        raise ValueError(f"must be a URL such as {SHAPE}")
    hosts, _, query = rest.partition("?")
    _require_options(scheme, query)
    if scheme == _SRV and not re.fullmatch(r"[^,:\[\]]+", hosts.rpartition("@")[2].partition("/")[0]):
        raise ValueError("must have one name and no port after mongodb+srv://")
    try:
        parse_uri(f"mongodb://{hosts}")
    except (InvalidURI, ConfigurationError, ValueError):
        # What the driver says may repeat the password.
        raise ValueError(
            f"must be a URL such as {SHAPE}, with %40 for @, %2F for / and %3A for : in a password"
        ) from None
    try:
        if scheme == _SRV:
            _read(query)
        else:
            parse_uri(url, warn=False)
    except (InvalidURI, ConfigurationError, ValueError) as exc:
        raise ValueError(f"has options that contradict each other: {exc}") from None


def beside(url: str, **own: Any) -> dict[str, Any]:
    """Those of these arguments for a client that the URL says nothing of: the driver prefers arguments."""
    given = {name.lower() for name, _ in parse_qsl(url.partition("?")[2], keep_blank_values=True)}
    return {name: value for name, value in own.items() if name.lower() not in given}


def _require_options(scheme: str, query: str) -> None:
    for name, value in parse_qsl(query, keep_blank_values=True):
        option = name.lower()
        if option in _OURS:
            raise ValueError(f"has the option {name}, which Relay does not take: {_OURS[option]}")
        only, why = _FIXED.get(option, (value, ""))
        if value != only:
            raise ValueError(f"has the option {name}, which must be {only}: {why}")
        if scheme == _SRV and option == "directconnection":
            raise ValueError(f"has the option {name}, which is not for mongodb+srv://")
        if scheme != _SRV and option in _ONLY_SRV:
            raise ValueError(f"has the option {name}, which is for mongodb+srv:// only")
        try:
            _read(f"{name}={quote(value, safe=':,/')}")
        except ConfigurationError:
            raise ValueError(f"has the option {name}, which the driver does not know") from None
        except OSError as exc:
            raise ValueError(f"has the option {name}: {value} cannot be read: {exc.strerror}") from None
        except (InvalidURI, ValueError, TypeError, UserWarning):
            raise ValueError(f"has the option {name} with a value that cannot be used") from None


def _read(query: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # With some the driver goes on without the option.
        if query:
            split_options(query, warn=False)
