"""Which filters a subscription may have."""

from relaycore.errors import BadSubscription


def check(policy: object, scope: str) -> None:
    """Nothing, if this can be a filter of this scope; None is none.

    Raises:
        BadSubscription: it cannot.
    """
    if policy is not None and not isinstance(policy, dict):
        raise BadSubscription(f"filter: An object of keys and values of the {scope}, or null.")
