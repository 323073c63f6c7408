"""What can be wrong with alerts that are known by their labels, as one branch of `relaycore.errors`.

    LabelError
    ├── BadMatcher      what is asked of a label, or a setting with such in it, cannot be meant
    ├── BadAlert        what is sent as an alert is none
    ├── BadSilence      a silence, or what is asked of it, cannot be meant
    └── SilenceUnknown  no such silence

The text says what to do.
"""

from relaycore.errors import RelayError


class LabelError(RelayError):
    """Base of these."""


class BadMatcher(LabelError, ValueError):
    """What is asked of a label, or a pattern in it, that cannot be meant or would take too long."""


class BadAlert(LabelError, ValueError):
    """What is sent as an alert and has no labels, or times that cannot be."""


class BadSilence(LabelError, ValueError):
    """A silence, or what is asked of it, that cannot be meant."""


class SilenceUnknown(LabelError, LookupError):
    """A silence that is not there, or ended so long ago that it is forgotten."""
