"""Which filters a subscription may have."""

import json
from decimal import Decimal
from typing import Any

from relaycore.filtering.policy import parse


def check(policy: object, scope: str) -> None:
    """Nothing, if this can be a filter of this scope (`relaycore.filtering`); None is none.

    It has to be one as well as PostgreSQL gives it back: that is what whoever hands out reads.

    Raises:
        BadFilter: it cannot.
    """
    if policy is not None:
        parse(policy, scope)
        parse(_given_back(policy), scope)


def _given_back(policy: object) -> Any:
    """As it comes out of a column of JSON: with 1e+300 written out, as a whole number of 301 digits."""
    return json.loads(json.dumps(policy), parse_float=_number)


def _number(text: str) -> int | float:
    number = Decimal(text)
    return int(number) if "e" in text and number == number.to_integral_value() else float(text)
