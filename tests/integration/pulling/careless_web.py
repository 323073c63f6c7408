"""Web processes that break a rule of `relaycore.delivering`, so that a test notices: else as `forked_web`.

careful:   breaks none
hasty:     answers before what it answers is committed (rule 5)
forgetful: does not look from which generation a commit or a token is (rule 2)
patient:   may stand still in a transaction for as long as it likes
blind:     takes a MongoDB that does not answer for one in which there is nothing
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection, connections
from pymongo.errors import PyMongoError

from relaycore.storing.expiring import NOTHING, Expired
from relayproject.asgi import application  # noqa: F401 -- Django is set up
from tests.integration.publishing.forked_web import main


def hasty() -> None:
    from subscribers_app.pulling import clerk, ledger
    from subscribers_app.pulling.clerk import transactions, unlocked

    def tell(asked: Sequence[Any], answers: Sequence[Any]) -> None:
        pairs = zip(asked, answers, strict=True)
        clerk._tell([(question.future, found) for question, found in pairs if found is not clerk.LOCKED])
        time.sleep(0.03)

    def answer(asked: Sequence[Any], left: Any, *, is_waiting: bool) -> Sequence[Any]:
        with connection.cursor() as sql:
            written = transactions.work(sql, asked, is_waiting=is_waiting)
            tell(asked, written.answers)
            ledger.end(sql, written.cursors, written.fetched)
        for id, entry in written.entries.items():
            left.leave(id, entry.standing)
        return written.answers

    decide = unlocked.decide

    def decide_and_tell(asked: Sequence[Any], left: Any) -> Any:
        if (decided := decide(asked, left)) is not None:
            tell(asked, decided.answers)
        return decided

    transactions.answer = answer
    unlocked.decide = decide_and_tell


def forgetful() -> None:
    from relaycore.delivering.cursor import Cursor
    from subscribers_app.pulling import saying as module

    saying: Any = module
    Cursor._require = lambda self, generation: None  # type: ignore[method-assign]
    settle = saying.settle

    def of_any_generation(cursor: Cursor, tokens: Sequence[Any], *others: Any) -> Any:
        return settle(
            cursor, [type(one)(cursor.generation, one.attempt, one.position) for one in tokens], *others
        )

    saying.meant = lambda cursor, tokens: [token.position for token in tokens]
    saying.settle = of_any_generation


def blind() -> None:
    from messages_app.searching import following as module
    from messages_app.searching.archive import Found
    from subscribers_app.pulling import archive

    following: Any = module
    deleted: Any = archive
    find = following.archive.find

    def nothing(*asked: Any) -> Any:
        try:
            return find(*asked)
        except PyMongoError:
            return Found([])

    following.archive.find = nothing
    expired = deleted.expired

    async def none(*asked: str) -> Expired:
        try:
            return await expired(*asked)
        except PyMongoError:
            return NOTHING

    deleted.expired = none


def patient() -> None:
    from subscribers_app.pulling import ledger

    module: Any = ledger
    module._BEGIN = f"BEGIN; SET LOCAL lock_timeout = {ledger.LOCK_MS}; "


def careful() -> None:
    connections["messages"]  # Else each web process imports the backend anew, when it is asked first.


RULES: dict[str, Callable[[], None]] = {
    "careful": careful,
    "hasty": hasty,
    "forgetful": forgetful,
    "patient": patient,
    "blind": blind,
}

if __name__ == "__main__":
    careful()
    RULES[sys.argv[1]]()
    main()
