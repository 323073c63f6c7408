"""Which filters a subscription may have."""

from relaycore.filtering.policy import parse


def check(policy: object, scope: str) -> None:
    """Nothing, if this can be a filter of this scope (`relaycore.filtering`); None is none.

    Raises:
        BadFilter: it cannot.
    """
    if policy is not None:
        parse(policy, scope)
