"""`manage.py tokens`: tokens of the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access_app import tokens
from access_app.models import Token
from access_app.permissions import lacking
from relaycore.errors import BadGrants
from relaycore.rights import EVERYTHING, READ, SCOPES, Grants, parse


class Command(BaseCommand):
    """`list`, `make NAME`, `rotate NAME`, `revoke NAME`."""

    help = "Tokens of the API. `make` and `rotate` print the key and nothing else; it is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        """The four."""
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="all tokens")
        make = actions.add_parser("make", help="make one and print its key")
        make.add_argument("name", metavar="NAME")
        make.add_argument("--user", default="admin", help="in whose name it acts (default: admin)")
        make.add_argument("--scope", choices=SCOPES, help="for every channel (default: read)")
        for scope in SCOPES:
            make.add_argument(
                f"--{scope}",
                action="append",
                default=[],
                metavar="PATTERN",
                help=f"{scope} the channels of this pattern, such as 'orders.*'; may be given again",
            )
        make.add_argument("--days", type=int, help="how long it is valid (default: for ever)")
        for action, text in (
            ("rotate", "give it another key and print that"),
            ("revoke", "refuse it for ever"),
        ):
            actions.add_parser(action, help=text).add_argument("name", metavar="NAME")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run."""
        getattr(self, f"_{action}")(**options)

    def _list(self, **_: Any) -> None:
        for token in Token.objects.select_related("user"):
            used = f"{token.last_used_at:%Y-%m-%d %H:%M}" if token.last_used_at else "never"
            self.stdout.write(
                f"{token.name}\t{token.user}\t{token.granted}\t{token.hint}…\tused {used}\t{token.state}"
            )

    def _make(self, name: str, user: str, scope: str | None, days: int | None, **asked: Any) -> None:
        owner = get_user_model().objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f'There is no user "{user}". Say --user.')
        if Token.objects.filter(name=name).exists():
            raise CommandError(f'There is a token "{name}" already.')
        try:
            grants = _grants(scope, {known: asked[known] for known in SCOPES if asked[known]})
        except BadGrants as exc:
            raise CommandError(str(exc)) from exc
        expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
        key = tokens.make(name, owner, grants, expires_at=expires_at)[1]
        self.stdout.write(key)
        if lacks := lacking(owner, grants):
            self.stderr.write(f'The user "{user}" lacks {", ".join(lacks)}: without that it may less.')

    def _rotate(self, name: str, **_: Any) -> None:
        self.stdout.write(tokens.rotate(_named(name)))

    def _revoke(self, name: str, **_: Any) -> None:
        if not tokens.revoke(_named(name)):
            raise CommandError(f'The token "{name}" was revoked before.')


def _grants(scope: str | None, patterns: dict[str, list[str]]) -> Grants:
    everywhere = [{"scope": scope or READ, "channels": [EVERYTHING]}] if scope or not patterns else []
    return parse(everywhere + [{"scope": of, "channels": channels} for of, channels in patterns.items()])


def _named(name: str) -> Token:
    token = Token.objects.filter(name=name).first()
    if token is None:
        raise CommandError(f'There is no token "{name}". See: manage.py tokens list')
    return token
