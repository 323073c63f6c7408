"""What the endpoints of a shard, and the webhooks that hang on them, are set to."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from leases_app import deployment
from relaycore.errors import RelayError, one_line
from relaycore.outbound import urls
from relaycore.sending.batches.setting import BATCH_MESSAGES
from relaycore.sending.breaker import Breaker
from relaycore.sending.failing import Failing
from relaycore.sending.formats.format import Format
from relaycore.sending.pace import PAUSE_SECONDS
from relaycore.sending.schedule import DEFAULT_SECONDS, Schedule
from relaycore.sending.shards import shard_of
from relaycore.sending.signing import Signer
from subscribers_app import remembering
from subscribers_app.models import Subscription
from subscribers_app.remembering import KnownSubscription
from webhooks_app import keeping, trusting
from webhooks_app.http.target import Target
from webhooks_app.models import Endpoint, EndpointSecret, Webhook, WebhooksMark

_PAUSE: Final = timedelta(seconds=PAUSE_SECONDS)

AGAIN_SECONDS: Final = 120.0
"""Everything is read again after so long, whatever the mark says: rotated secrets end by themselves."""


@dataclass(frozen=True, eq=False, slots=True)
class KnownEndpoint:
    """An endpoint.

    target, signer: None: nothing can be sent, and `trouble` says why
    breaker, failing: as they stood when it was read
    is_rested: it was sent to, and then for a long time was not
    """

    id: int
    name: str
    revision: int
    is_active: bool
    most_out: int
    per_second: float | None
    breaker: Breaker
    failing: Failing
    target: Target | None = None
    signer: Signer | None = None
    trouble: str = ""
    is_rested: bool = False


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook subscription.

    stamp:         another one means that it is to be read anew
    most_together: messages in one request; None: its format has one
    """

    subscription: KnownSubscription
    endpoint: int
    stamp: tuple[int, int, bool]
    format: Format
    schedule: Schedule
    most_age_ms: int | None
    most_together: int | None = None

    @property
    def is_timed(self) -> bool:
        """Whether time alone changes what is tried of it."""
        return bool(self.subscription.delay_ms) or self.most_age_ms is not None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a shard.

    mark, at: by which, and monotonic seconds when, it was read
    troubles: of endpoints
    """

    endpoints: Mapping[int, KnownEndpoint] = field(default_factory=dict)
    hooks: Mapping[int, Hook] = field(default_factory=dict)
    mark: object = None
    at: float = float("-inf")
    troubles: Sequence[str] = ()


def learn(shard: int, before: Known) -> Known:
    """What is set by now; the same one if nothing has changed.

    Raises:
        UnfitServer: the secret, the partitions or the Redis database are not those of this deployment.
        Disconnected: Redis does not answer, so nobody knows whose it is.
        django.db.Error: PostgreSQL does not answer.
    """
    if before.mark is None:
        deployment.require()
    # First the mark, then the rows: what is committed between the two is read once more.
    mark = WebhooksMark.objects.values_list("mark", flat=True).first()
    is_young = time.monotonic() - before.at < AGAIN_SECONDS
    if mark == before.mark and is_young:
        return before
    at = time.monotonic()
    known = before if is_young else Known()
    endpoints = _endpoints(shard, known)
    troubles = [one.trouble for one in endpoints.values() if one.trouble]
    return Known(endpoints, _hooks(endpoints, known), mark, at, troubles)


def _endpoints(shard: int, before: Known) -> dict[int, KnownEndpoint]:
    revisions = dict(Endpoint.objects.values_list("pk", "revision"))
    shards: int = settings.RELAY_SENDER_SHARDS
    mine = [pk for pk in revisions if shard_of(pk, shards) == shard]
    kept = {
        pk: known
        for pk in mine
        if (known := before.endpoints.get(pk)) is not None and known.revision == revisions[pk]
    }
    changed = [pk for pk in mine if pk not in kept]
    if not changed:
        return kept
    # First the rows: what is committed after that has another revision, and is read once more.
    rows = list(_rows(changed))
    by_endpoint: dict[int, list[EndpointSecret]] = defaultdict(list)
    # Each is read by itself: one that cannot be decrypted is of one endpoint.
    for secret in EndpointSecret.objects.signing().filter(endpoint__in=changed):
        by_endpoint[secret.endpoint_id].append(secret)
    return kept | {row.pk: _endpoint(row, by_endpoint[row.pk]) for row in rows}


def _rows(ids: Iterable[int]) -> Iterable[Endpoint]:
    return Endpoint.objects.filter(pk__in=list(ids)).iterator()


def _endpoint(row: Endpoint, secrets: Iterable[EndpointSecret]) -> KnownEndpoint:
    common: dict[str, Any] = {
        "id": row.pk,
        "name": row.name,
        "revision": row.revision,
        "is_active": row.state == Endpoint.State.ACTIVE,
        "most_out": row.max_concurrency,
        "per_second": row.max_per_second,
        "breaker": Breaker(row.breaker_failures, row.breaker_until),
        "failing": Failing(row.failing_since, row.failed_at),
        "is_rested": row.last_attempt_at is not None and timezone.now() - row.last_attempt_at > _PAUSE,
    }
    try:
        target = Target(
            urls.read(row.url),
            timeout_seconds=row.timeout_seconds,
            max_connections=row.max_concurrency,
            headers=keeping.headers_of(bytes(row.headers)),
            tls=trusting.context_of(row),
        )
        return KnownEndpoint(**common, target=target, signer=Signer([keeping.secret(one) for one in secrets]))
    except (RelayError, ValueError) as exc:
        return KnownEndpoint(**common, trouble=f"Endpoint {row.name}: {one_line(exc)}")


def _hooks(endpoints: Mapping[int, KnownEndpoint], before: Known) -> dict[int, Hook]:
    stamps = {
        pk: (revision, generation, state == Subscription.State.ACTIVE)
        for pk, endpoint, revision, generation, state in Webhook.objects.values_list(
            "pk",
            "endpoint_id",
            "subscription__revision",
            "subscription__generation",
            "subscription__state",
        )
        if endpoint in endpoints
    }
    kept = {
        pk: hook
        for pk, stamp in stamps.items()
        if (hook := before.hooks.get(pk)) is not None and hook.stamp == stamp
    }
    changed = [pk for pk in stamps if pk not in kept]
    if not changed:
        return kept
    known = {one.id: one for one in remembering.read(id__in=changed)}
    hooks = dict(kept)
    # Each of these is read after the one before, and may be newer. So a hook is stamped with what was read of
    # its subscription, and the generation from before that: whatever else it is by now is read once more.
    for row in Webhook.objects.filter(pk__in=known, endpoint__in=endpoints).iterator():
        subscription, (_, generation, _) = known[row.pk], stamps[row.pk]
        stamp = (subscription.revision, generation, subscription.is_active)
        hooks[row.pk] = _hook(row, subscription, stamp)
    return hooks


def _hook(row: Webhook, subscription: KnownSubscription, stamp: tuple[int, int, bool]) -> Hook:
    schedule = DEFAULT_SECONDS if row.schedule_seconds is None else tuple(row.schedule_seconds)
    most_age = None if row.max_age_seconds is None else row.max_age_seconds * 1000
    format, most = Format(row.format), None
    if format.is_batch:
        most = row.batch_messages or BATCH_MESSAGES
    return Hook(subscription, row.endpoint_id, stamp, format, Schedule(schedule), most_age, most)
