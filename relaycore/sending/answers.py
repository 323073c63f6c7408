"""What came of one attempt, as the client that sends says it."""

from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """Why there is no whole answer. The values stand in the record of attempts, in the API and in metrics."""

    ADDRESS = "address"  # It is none that may be connected to, or the name leads only to such.
    NAME = "name"  # The name cannot be resolved.
    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect-timeout"
    TLS = "tls"
    RESET = "reset"  # The connection ended before the answer did.
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"  # What came is no HTTP.
    TOO_LARGE = "too-large"  # Of its head, or of what a bound is set to.


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt.

    status:      of the final response (1xx are passed over); None: there was none, and `failure` says why
    failure:     None: a whole answer came, or its status decided and the rest of its body was not waited for
    detail:      one short sentence for people; never a body, a header's value or a secret
    retry_after: seconds, as its `Retry-After` says, a date reckoned by our clock; None: it says none
    body:        the first KiB of it, as it came
    seconds:     from the first byte that was written, or the attempt to connect, to here
    is_unsent:   nothing of the answer had come on a connection that was kept: a request that may be sent
                 once more without being counted
    """

    status: int | None
    failure: Failure | None = None
    detail: str = ""
    retry_after: float | None = None
    body: bytes = b""
    seconds: float = 0.0
    is_unsent: bool = False
