"""What can go wrong with rules and alerts, beside what stands in `relaycore.errors`."""

from relaycore.errors import RelayError


class RuleExists(RelayError):
    """A rule that was to be made is there already."""


class RuleUnknown(RelayError, LookupError):
    """A rule that is not there."""


class RuleChanged(RelayError):
    """A rule that is not what it was when whoever wants to change it looked at it."""


class AlertUnknown(RelayError, LookupError):
    """An alert that is neither open nor on record."""
