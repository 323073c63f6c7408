"""What may stand in a channel's row."""

import logging

from django.core.exceptions import ValidationError

from relaycore.channels import check_new_name
from relaycore.errors import BadBroadcast, BadChannelName, BadPolicy
from relaycore.live.broadcasts import check_event
from relaycore.policy import Policy, parse

log = logging.getLogger(__name__)


def validate_name(name: str) -> None:
    """Of a new channel, as a Django validator. Nothing renames one that is there."""
    try:
        check_new_name(name)
    except BadChannelName as exc:
        raise ValidationError(str(exc)) from exc


def validate_policy(value: object) -> None:
    """As a Django validator."""
    try:
        parse(value)
    except BadPolicy as exc:
        raise ValidationError(str(exc)) from exc


def validate_event(name: str) -> None:
    """Of a broadcast, as a Django validator."""
    try:
        check_event(name)
    except BadBroadcast as exc:
        raise ValidationError(str(exc)) from exc


def content() -> str:
    """The default policy, as JSON."""
    return "content"


def usable_policy(name: str, value: object) -> Policy:
    """The policy of a channel by its column, where a wrong one must keep nothing from going on."""
    try:
        return parse(value)
    except BadPolicy as exc:
        # The API and the admin refuse such a value; somebody wrote it into the table by hand.
        log.error(
            'channel %r: %s It is relayed under "content" until then.', name, exc, extra={"channel": name}
        )
        return Policy()
