"""`manage.py subscriptions`: who reads, and how far."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start
from relaycore.errors import RelayError, one_line
from relaycore.position import is_position
from subscribers_app import dead, lag, registration, seeking
from subscribers_app.dead import Which
from subscribers_app.kinds.checking import LEASE_ONLY
from subscribers_app.lag import Lag
from subscribers_app.models import Subscription
from webhooks_app import attempts, testing
from webhooks_app.attempts import Of
from webhooks_app.models import Webhook

_AT_ONCE = 500

_ANSWER_BYTES = 200

_PLACE = "earliest, latest, a time or a position"


class Command(BaseCommand):
    """Its actions: what the API can do, one by one."""

    help = "List, make and change subscriptions, move their cursors, and decide about dead letters."

    def add_arguments(self, parser: CommandParser) -> None:
        """All of them."""
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="name, channel, mode, state, what is not done yet")
        listing.add_argument("--channel", help="only of this channel")
        listing.add_argument("--state", choices=Subscription.State.values, help="only these")
        _named(actions, "show", "how it is set, and where it stands")
        create = _named(actions, "create", "make a subscription")
        create.add_argument("channel", metavar="CHANNEL")
        create.add_argument("--mode", choices=Subscription.Mode.values, required=True)
        create.add_argument("--start", type=_place, required=True, help=_PLACE)
        _settings(create)
        _settings(_named(actions, "change", "change settings"))
        _named(actions, "delete", "delete it, with what is on its way and dead")
        _named(actions, "pause", "hand out nothing for a while").add_argument("--reason", default="")
        resume = _named(actions, "resume", "hand out again")
        resume.add_argument(
            "--from", dest="start", type=_place, help=f"{_PLACE}; where it stands if left out"
        )
        seek = _named(actions, "seek", "go on from another place")
        seek.add_argument("--to", type=_place, required=True, help=_PLACE)
        seek.add_argument("--dry-run", action="store_true", help="only say what that would mean")
        _named(actions, "lag", "messages that are not done, and the age of the oldest in seconds")
        _which(_named(actions, "dead", "list dead letters"))
        for verb, text in (("redrive", "hand dead letters out again, or send them"), ("drop", "let them go")):
            deciding = _named(actions, verb, text)
            _which(deciding, required=True).add_argument("--all", action="store_true", help="all of them")
            deciding.add_argument("--dry-run", action="store_true", help="only say how many")
        _named(actions, "test", "send a test message to where it is pushed, and say what is answered")
        tries = _named(actions, "attempts", "what became of the last attempts to send, the newest first")
        tries.add_argument("--limit", type=int, default=20, help="so many, 20 if it is left out")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run."""
        try:
            getattr(self, f"_{action}")(**options)
        except (DatabaseError, PyMongoError) as exc:
            raise CommandError(f"A server does not answer: {one_line(exc)}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc

    def _list(self, channel: str | None, state: str | None, **_: Any) -> None:
        found = Subscription.objects.select_related("channel").order_by("name")
        found = found if channel is None else found.filter(channel__channel=channel)
        found = found if state is None else found.filter(state=state)
        last = ""
        while page := list(found.filter(name__gt=last)[:_AT_ONCE]):
            behind = lag.of_all(page)
            for row in page:
                self._line(row.name, row.channel, row.mode, row.state, _count(behind[row.pk]))
            last = page[-1].name

    def _show(self, name: str, **_: Any) -> None:
        row = registration.find(name)
        self._line("channel", row.channel)
        self._line("mode", row.mode)
        self._line("state", f"{row.state} ({row.reason})" if row.reason else row.state)
        leased = LEASE_ONLY if row.mode == Subscription.Mode.LEASE else ()
        for column in ("filter", "filter_scope", "delay_seconds", *leased):
            value = row.order_as_json if column == "order" else getattr(row, column)
            if column != "order_field":
                self._line(column, json.dumps(value, ensure_ascii=False))
        self._line("position", row.position)
        self._line("not done", _count(lag.of_all([row], lag.MOST)[row.pk]))
        self._line("dead", dead.letters(row).count())

    def _create(self, name: str, channel: str, mode: str, start: Start, **options: Any) -> None:
        row = registration.create(name, channel, mode, start, **_given(options))
        self.stdout.write(f"Made {row.name}. It begins above {row.position}.")

    def _change(self, name: str, **options: Any) -> None:
        given = _given(options)
        if not given:
            raise CommandError("Say what to change.")
        registration.change(name, **given)
        self.stdout.write(f"Changed {name}.")

    def _delete(self, name: str, **_: Any) -> None:
        registration.delete(name)
        self.stdout.write(f"Deleted {name}.")

    def _pause(self, name: str, reason: str, **_: Any) -> None:
        registration.pause(name, reason)
        self.stdout.write(f"Paused {name}.")

    def _resume(self, name: str, start: Start | None, **_: Any) -> None:
        row = registration.resume(name, start)
        self.stdout.write(f"{name} goes on above {row.position}.")

    def _seek(self, name: str, to: Start, dry_run: bool, **_: Any) -> None:
        sought = seeking.seek(name, to, dry_run=dry_run)
        way = "handed out again" if sought.to < sought.origin else "not handed out"
        count = f"{sought.messages}{'' if sought.is_exact else ' or so'}"
        verb = "would go" if dry_run else "went"
        self.stdout.write(
            f"{name} {verb} from {sought.origin} to {sought.to}. Messages that are {way}: {count}."
        )

    def _lag(self, name: str, **_: Any) -> None:
        found = lag.of(registration.find(name))
        age = "-" if found.age_seconds is None else f"{found.age_seconds:.3f}"
        self._line(_count(found), age)

    def _dead(self, name: str, ids: Any, since: Any, **_: Any) -> None:
        row = registration.find(name)
        for page in dead.pages(row, Which(ids, since)):
            gone = dead.expired(page)
            for one in page:
                state = "expired" if one.position in gone else "stored"
                died = f"{one.died_at:%Y-%m-%d %H:%M:%S}" if one.died_at else "-"
                self._line(bytes(one.message_id).hex(), died, one.attempt, state, one.why)

    def _redrive(self, name: str, ids: Any, since: Any, dry_run: bool, **_: Any) -> None:
        done = dead.redrive(registration.find(name), Which(ids, since), dry_run=dry_run)
        self.stdout.write(f"{done.messages} {'would be ' if dry_run else ''}handed out again.")
        if done.expired:
            self.stdout.write(f"{done.expired} cannot be: the message is gone.")
        if done.above_cursor:
            self.stdout.write(f"{done.above_cursor} stay: the cursor comes by them anyway.")

    def _drop(self, name: str, ids: Any, since: Any, dry_run: bool, **_: Any) -> None:
        done = dead.drop(registration.find(name), Which(ids, since), dry_run=dry_run)
        self.stdout.write(f"{done.messages} {'would be ' if dry_run else ''}dropped.")

    def _test(self, name: str, **_: Any) -> None:
        hook = Webhook.objects.select_related("endpoint").filter(subscription=registration.find(name)).first()
        if hook is None:
            raise CommandError(f"{name} is not pushed anywhere: programs fetch its messages.")
        answer = testing.try_out(hook.endpoint)
        if answer["status"] is None:
            raise CommandError(f"No answer: {answer['failure']} {answer['detail'] or ''}".strip())
        self._line(answer["status"], answer["seconds"], json.dumps(answer["body"]))

    def _attempts(self, name: str, limit: int, **_: Any) -> None:
        row, cursor = registration.find(name), None
        while limit > 0:
            page = attempts.read(Of.SUBSCRIPTION, row.pk, cursor, limit)
            for one in page.attempts:
                came = one.failure.value if one.failure else one.status
                answer = json.dumps(one.answer[:_ANSWER_BYTES].decode("utf-8", "replace"))
                at = f"{one.at:%Y-%m-%d %H:%M:%S}"
                batch = (f"batch {one.webhook_id}",) if one.is_in_batch else ()
                self._line(at, one.message.hex(), one.attempt, came, f"{one.seconds:.3f}", answer, *batch)
            limit, cursor = limit - len(page.attempts), page.next
            if cursor is None:
                return

    def _line(self, *cells: Any) -> None:
        self.stdout.write("\t".join(map(str, cells)))


def _named(actions: Any, action: str, text: str) -> CommandParser:
    parser: CommandParser = actions.add_parser(action, help=text)
    parser.add_argument("name", metavar="NAME")
    return parser


def _which(parser: CommandParser, *, required: bool = False) -> Any:
    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument("--id", nargs="+", type=_id, dest="ids", help="those of these messages")
    which.add_argument("--since", type=_time, help="those that died at this time or later")
    return which


def _settings(parser: CommandParser) -> None:
    parser.add_argument("--filter", type=_json, help="a filter policy as JSON; null: every message")
    parser.add_argument("--filter-scope", choices=Subscription.Scope.values)
    parser.add_argument("--order", choices=Subscription.Order.values)
    parser.add_argument("--order-field", metavar="FIELD", help='with the order "field": by which')
    parser.add_argument("--delay", type=int, dest="delay_seconds", metavar="SECONDS")
    parser.add_argument("--ack-deadline", type=int, dest="ack_deadline_seconds", metavar="SECONDS")
    parser.add_argument("--max-deliveries", type=int)
    parser.add_argument("--max-outstanding", type=int)


def _given(options: dict[str, Any]) -> Any:
    """What was given of the settings. `--filter null` is given as well."""
    given = {column: options[column] for column in registration.SETTINGS if options[column] is not None}
    return {column: None if value is _NULL else value for column, value in given.items()}


_NULL = object()


def _json(text: str) -> Any:
    return _NULL if (found := json.loads(text)) is None else found


def _place(text: str) -> Start:
    if text in {beginning.EARLIEST, beginning.LATEST}:
        return beginning.parse(text)
    return beginning.parse({beginning.POSITION if is_position(text) else beginning.TIME: text})


def _time(text: str) -> Any:
    return beginning.time_of(text)


def _id(text: str) -> bytes:
    id = bytes.fromhex(text)
    if len(id) != 12:
        raise ValueError(text)
    return id


def _count(found: Lag | None) -> str:
    return "?" if found is None else f"{found.messages}{'' if found.is_exact else '+'}"
