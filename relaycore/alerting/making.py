"""An output of a rule with what is stored beside it: its id, its cause, and of which alert it is said."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from relaycore.alerting.items import ALERT, CAUSE, EVENT, MERGED_ALERTS, REVISION, RULE, Made, Output
from relaycore.alerting.naming import Names

MOST_MERGED: Final = 100
"""Alerts that are named in one output as having become part of another: attributes have little room."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Maker:
    """Of one rule under one revision. `rule`: the UUID as hex."""

    def __init__(self, rule: str, revision: int) -> None:
        self._names = Names(rule, revision)
        self._origin = {RULE: rule, REVISION: str(revision)}

    def make(
        self, key: str, cause: str, output: Output, place: int, carried: Mapping[str, str] = NOTHING
    ) -> Made:
        """As it is appended.

        place:   its index among those of one cause, key and kind
        carried: attributes that it has from the message which is its cause
        """
        names = self._names
        attributes = {**carried, **output.attributes, **self._origin, EVENT: output.kind, CAUSE: cause}
        if output.opened:
            attributes[ALERT] = names.alert_id(key, output.opened)
        if output.merged:
            merged = [names.alert_id(key, opened) for opened in output.merged[:MOST_MERGED]]
            attributes[MERGED_ALERTS] = ",".join(merged)
        id = names.output_id(key, cause, output.kind, place)
        return Made(id, key, cause, output, place, attributes)
