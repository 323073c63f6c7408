"""Which filters a subscription may have."""

from relaycore import filtering


def check(policy: object, scope: str) -> None:
    """Nothing, if this can be a filter of this scope (`relaycore.filtering`); None is none.

    Raises:
        BadFilter: it cannot.
    """
    if policy is not None:
        filtering.policy.parse(policy, scope)
