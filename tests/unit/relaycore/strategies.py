"""What channels carry, for properties that hold for all of it."""

from hypothesis import strategies as st

from relaycore.channels import check_name
from relaycore.errors import BadChannelName


def _is_good(name: str) -> bool:
    try:
        check_name(name)
    except BadChannelName:
        return False
    return True


names = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=60).filter(
    _is_good
)
"""Names that may be relayed, as text."""

channels = names.map(str.encode)
"""The same as Redis hands them out."""

texts = st.text(max_size=60).map(str.encode)
"""Payloads that are UTF-8."""

payloads = st.one_of(st.binary(max_size=60), texts, st.binary(max_size=3), st.just(b""))
"""Any payload."""

keys = st.binary(min_size=12, max_size=12)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
"""What a JSON field can hold."""
