"""Subscriptions that are pushed: what they have more than others (`subscribers_app.kinds`)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db.models import Q
from rest_framework import serializers
from rest_framework.request import Request

from relaybase.http.fields import Text, Whole
from relaycore.errors import BadSubscription
from relaycore.sending.batches import setting
from relaycore.sending.batches.setting import BATCH_MESSAGES, LARGEST_BATCH_MESSAGES
from subscribers_app.kinds.kind import Kind, Making
from subscribers_app.models import NAME_PATTERN, Subscription
from webhooks_app import addresses, finding, registration
from webhooks_app.models import MOST_URL_CHARS, Endpoint, Webhook
from webhooks_app.rights import MAKE, may, refused

MOST_AGE_SECONDS: Final = 10 * 365 * 86_400
MOST_WAIT_SECONDS: Final = 24 * 3600
MOST_ATTEMPTS: Final = 100

FORMAT: Final = {"type": "string", "enum": Webhook.Format.values, "default": Webhook.Format.STANDARD.value}

_SCHEDULE: Final = {
    "type": ["array", "null"],
    "items": {"type": "integer", "minimum": 0, "maximum": MOST_WAIT_SECONDS},
    "minItems": 1,
    "maxItems": MOST_ATTEMPTS,
    "description": "So long it waits before each attempt; the first is 0. null: as Standard Webhooks says.",
}


class Webhooks(Kind):
    """The kind."""

    name = Subscription.Kind.WEBHOOK
    is_pulled = False

    def fields(self, *, is_new: bool) -> Mapping[str, Any]:
        """Where to, only when it is made; how, always."""
        wait = Whole(min_value=0, max_value=MOST_WAIT_SECONDS)
        where = {"endpoint": Text(required=False), "url": Text(required=False, max_length=MOST_URL_CHARS)}
        return {
            **(where if is_new else {}),
            "format": serializers.ChoiceField(Webhook.Format.choices, required=False),
            "batch_messages": Whole(
                required=False, allow_null=True, min_value=1, max_value=LARGEST_BATCH_MESSAGES
            ),
            "schedule_seconds": serializers.ListField(
                child=wait, required=False, allow_null=True, allow_empty=False, max_length=MOST_ATTEMPTS
            ),
            "max_age_seconds": Whole(
                required=False, allow_null=True, min_value=1, max_value=MOST_AGE_SECONDS
            ),
        }

    def body_schema(self) -> Mapping[str, Any]:
        """The same as JSON Schema has it."""
        whole = {"type": "integer", "minimum": 1}
        return {
            "endpoint": {
                "type": "string",
                "pattern": f"^{NAME_PATTERN}$",
                "description": 'Only kind "webhook", only when it is made: to which endpoint.',
            },
            "url": {
                "type": "string",
                "maxLength": MOST_URL_CHARS,
                "description": "The same: to your endpoint with this URL, which is made if there is none.",
            },
            "format": FORMAT,
            "batch_messages": {
                **whole,
                "type": ["integer", "null"],
                "maximum": LARGEST_BATCH_MESSAGES,
                "description": "Only the last two formats: so many messages go together at most. "
                f"null: {BATCH_MESSAGES}.",
            },
            "schedule_seconds": _SCHEDULE,
            "max_age_seconds": {
                **whole,
                "type": ["integer", "null"],
                "maximum": MOST_AGE_SECONDS,
                "description": "What was received longer ago is not sent. null: everything is.",
            },
        }

    def row_fields(self) -> Mapping[str, Any]:
        """What the API shows."""
        return {
            "endpoint": serializers.CharField(allow_null=True, help_text="To which it is pushed."),
            "format": serializers.ChoiceField(Webhook.Format.choices, allow_null=True),
            "batch_messages": serializers.IntegerField(
                allow_null=True, help_text="null: a request has one message."
            ),
            "schedule_seconds": serializers.ListField(child=serializers.IntegerField(), allow_null=True),
            "max_age_seconds": serializers.IntegerField(allow_null=True),
        }

    def begin(self, request: Request, name: str, given: Mapping[str, Any]) -> Making:
        """For an endpoint that is there, or one with this URL, which is made if there is none."""
        own = dict(given)
        endpoint, url = own.pop("endpoint", None), own.pop("url", None)
        if (endpoint is None) is (url is None):
            raise BadSubscription('A webhook has an "endpoint", by its name, or a "url": one of the two.')
        _require(own)
        if endpoint is not None:
            return to_endpoint(_own(request, endpoint), own)
        address = str(addresses.require(url))
        return _Pushing(own, lambda: _of_url(request.user, address, name))

    def change(self, row: Subscription, given: Mapping[str, Any]) -> None:
        """Another format, another schedule."""
        _require(given)
        hook = Webhook.objects.select_for_update(no_key=True).get(pk=row.pk)
        _set(hook, given)
        hook.save()

    def shown(self, rows: Sequence[Subscription]) -> Mapping[int, Mapping[str, Any]]:
        """Its own columns; and unless it is paused itself, the state of its endpoint."""
        paused = {row.pk for row in rows if row.state == Subscription.State.PAUSED}
        hooks = Webhook.objects.select_related("endpoint").filter(subscription__in=rows)
        return {
            hook.pk: {
                "endpoint": hook.endpoint.name,
                **{column: getattr(hook, column) for column in _COLUMNS},
                **({} if hook.pk in paused else _state(hook.endpoint)),
            }
            for hook in hooks
        }

    def in_state(self, state: str) -> Q:
        """Paused by itself, or else as its endpoint is."""
        if state == Subscription.State.PAUSED:
            return super().in_state(state)
        return Q(kind=self.name, state=Subscription.State.ACTIVE, webhook__endpoint__state=state)


def to_endpoint(row: Endpoint, given: Mapping[str, Any]) -> Making:
    """Subscriptions are to be pushed to this endpoint, by what is given of a webhook's columns.

    Whoever calls has seen to it that it is his to decide what is sent there.

    Raises:
        BadSubscription: it cannot be meant.
    """
    _require(given)
    return _Pushing(given, lambda: (finding.locked(row), {}))


_COLUMNS: Final = ("format", "batch_messages", "schedule_seconds", "max_age_seconds")


class _Pushing(Making):
    """Rows in `webhooks`, for one endpoint."""

    def __init__(self, given: Mapping[str, Any], endpoint: Any) -> None:
        self._given = given
        self._endpoint = endpoint
        self._secrets: dict[str, str] = {}
        self._name = ""

    def attach(self, rows: Sequence[Subscription]) -> None:
        """The endpoint first, if it is not there yet."""
        endpoint, self._secrets = self._endpoint()
        self._name = endpoint.name
        for row in rows:
            hook = Webhook(subscription=row, endpoint=endpoint)
            _set(hook, self._given)
            hook.save(force_insert=True)

    def on_record(self) -> dict[str, Any]:
        """Where to, and in which form."""
        return {"endpoint": self._name, "format": Webhook.Format.STANDARD.value, **self._given}

    def told(self) -> dict[str, Any]:
        """The secrets of the endpoint, if it was made."""
        return {"secrets": self._secrets} if self._secrets else {}


def _own(request: Request, name: str) -> Endpoint:
    """The endpoint of this name. Who has one decides what is sent there."""
    row = finding.named(name).first()
    if not may(request, MAKE, row):
        raise refused(MAKE, name)
    if row is None:
        raise finding.unknown(name)
    return row


def _of_url(owner: Any, url: str, name: str) -> tuple[Endpoint, dict[str, str]]:
    found = Endpoint.objects.select_for_update(no_key=True).filter(owner=owner, url=url).first()
    if found is not None:
        return found, {}
    return registration.create(next(_free(name)), owner, url=url)


def _free(name: str) -> Iterator[str]:
    """Names that no endpoint has, like this one."""
    for number in count(1):
        end = "" if number == 1 else f"-{number}"
        wanted = name[: 100 - len(end)] + end
        if not finding.named(wanted).exists():
            yield wanted


def _state(endpoint: Endpoint) -> dict[str, Any]:
    return {"state": endpoint.state, "reason": endpoint.reason or None}


def _require(given: Mapping[str, Any]) -> None:
    if (schedule := given.get("schedule_seconds")) and schedule[0] != 0:
        raise BadSubscription(
            "schedule_seconds: The first attempt waits for nothing, so it begins with 0. See `delay_seconds`."
        )


def _set(hook: Webhook, given: Mapping[str, Any]) -> None:
    """Set what is given; it has to be something that can be meant."""
    for column, value in given.items():
        setattr(hook, column, value)
    setting.check(hook.format, hook.subscription.order, given.get("batch_messages"))
    if not setting.is_for_batches(hook.format):
        hook.batch_messages = None
    elif hook.batch_messages is None:
        hook.batch_messages = BATCH_MESSAGES
    try:
        hook.clean_fields(exclude=["subscription", "endpoint"])
    except ValidationError as exc:
        said = [f"{column}: {' '.join(texts)}" for column, texts in exc.message_dict.items()]
        raise BadSubscription(" ".join(said)) from exc
