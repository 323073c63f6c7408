"""What came of one attempt, as the client that sends says it."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

HEARD: Final = ("retry-after", "webhook-allowed-origin", "webhook-allowed-rate", "webhook-delivery")
"""Headers of an answer that mean something here. No others are kept: they may be secrets of somebody's."""

MOST_KEPT: Final = 1024
"""Bytes of a body, and characters of each such header, that are kept."""


class Failure(StrEnum):
    """Why there is no answer. The values stand in the record of attempts, in the API and in metrics."""

    ADDRESS = "address"  # It is none that may be connected to, or the name leads only to such.
    NAME = "name"  # The name cannot be resolved, or not in time.
    REFUSED = "refused"
    UNREACHABLE = "unreachable"  # No way leads there.
    CONNECT_TIMEOUT = "connect-timeout"
    CERTIFICATE = "certificate"  # Not to be trusted: expired, of another name, of an unknown authority.
    TLS = "tls"  # Anything else that keeps TLS from beginning, such as a client certificate that is missing.
    RESET = "reset"  # The connection ended before the head of the answer did.
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"  # What came is no HTTP.
    TOO_LARGE = "too-large"  # The head of the answer.
    REQUEST = "request"  # What was to be sent cannot be written as HTTP. Sending it again changes nothing.
    OURS = "ours"  # Nothing of the endpoint's: whoever sends stops, may send no more, or has no sockets.


class Answer(NamedTuple):
    """What came of one attempt.

    status:      of the final response (1xx are passed over, but for 101); None: there was none, and `failure`
                 says why
    failure:     None: the head of an answer came. Its status decides, whatever became of the rest
    detail:      one short sentence for people; never a body, a header's value or a secret
    retry_after: seconds, as its `Retry-After` says, a date reckoned by our clock; None: it says none
    body:        the first KiB of it, as it came
    seconds:     from the first byte that was written, or the attempt to connect, to here
    is_unsent:   nothing of the request was written, and not through the endpoint: it was no attempt
    headers:     those of `HEARD` that came, names in small letters, each at most 1 KiB
    """

    status: int | None
    failure: Failure | None = None
    detail: str = ""
    retry_after: float | None = None
    body: bytes = b""
    seconds: float = 0.0
    is_unsent: bool = False
    headers: Mapping[str, str] = MappingProxyType({})
