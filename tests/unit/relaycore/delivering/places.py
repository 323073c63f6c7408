"""Places in a channel, and messages at them."""

from typing import Any, Final

from bson import ObjectId
from hypothesis import strategies as st

from relaycore.delivering.leasing import Delivery, State
from relaycore.delivering.settings import Settings
from relaycore.position import first_of

NOW: Final = 1_700_000_000_000
SECOND: Final = 1000


def at(number: int) -> str:
    """The position of the one message of an entry."""
    return first_of(f"{number}-0")


def document(number: int, size: int = 1) -> dict[str, Any]:
    id = ObjectId(number.to_bytes(12, "big"))
    return {"_id": id, "position": at(number), "message": b"x" * size, "number": number}


def row(number: int, state: State = State.LEASED, attempt: int = 1, **more: Any) -> Delivery:
    return Delivery(at(number), number.to_bytes(12, "big"), state, attempt, **more)


numbers = st.integers(0, 40)
positions = numbers.map(at)
times = st.integers(NOW - 10**9, NOW + 10**9)
settings = st.builds(
    Settings,
    deadline_ms=st.integers(1000, 12 * 3600 * 1000),
    most_deliveries=st.none() | st.integers(1, 5),
    most_outstanding=st.integers(1, 5),
    is_ordered=st.booleans(),
)
