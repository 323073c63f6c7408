"""A played Relay that hands out one subscription, by Relay's own decisions (`relaycore.delivering`)."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Ahead, Delivery, Rows, State, lease
from relaycore.delivering.settings import Settings
from relaycore.delivering.tokens import Token
from relaycore.errors import CursorMoved

NAME = "billing"


def position_of(number: int) -> str:
    """Of the message with this number."""
    return f"{1795262400000 + number:013}-0000000000-00000"


def number_of(position: str) -> int:
    """Of the message at this position; -1 at the very beginning."""
    return (
        int(position.partition("-")[0]) - 1795262400000
        if position > position_of(0)
        else (0 if position == position_of(0) else -1)
    )


@dataclass
class PlayedRelay:
    """One subscription. `clock` gives seconds; messages are numbered from 0."""

    mode: str
    clock: Callable[[], float]
    deadline_seconds: float = 10.0
    most_outstanding: int = 1000
    most_deliveries: int | None = None
    count: int = 0
    """So many messages are stored."""
    wants: Callable[[int], bool] = lambda number: True
    cursor: Cursor = field(default_factory=Cursor)
    rows: dict[str, Delivery] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    """What was acked, or committed over, in that order."""
    asked: list[tuple[str, Any]] = field(default_factory=list)
    skipped: Any = None
    is_known: bool = True
    lock: Any = field(default_factory=threading.RLock)
    heard: Any = None
    """What is answered to what came with the fetch that waits."""

    @property
    def settings(self) -> Settings:
        return Settings(int(self.deadline_seconds * 1000), self.most_deliveries, self.most_outstanding)

    @property
    def now(self) -> int:
        return int(self.clock() * 1000) + 1_000_000

    def answer(self, method: str, path: str, body: bytes | None) -> tuple[int, Any]:
        """Status and JSON."""
        with self.lock:
            given = json.loads(body) if body else {}
            verb = path.partition(f"/subscriptions/{NAME}")[2].removeprefix("/") or "get"
            self.asked.append((verb, given))
            if not self.is_known:
                return 404, {"type": "urn:relay:problem:subscription-unknown", "detail": "There is none."}
            found: tuple[int, Any] = getattr(self, verb)(given)
            return found

    def verbs(self) -> list[str]:
        return [verb for verb, _ in self.asked]

    def bodies(self, verb: str) -> list[Any]:
        return [body for asked, body in self.asked if asked == verb]

    def respond(self, request: httpx2.Request) -> httpx2.Response:
        """The same for a transport."""
        path = request.url.raw_path.decode()
        status, said = self.answer(request.method, path, request.content)
        return httpx2.Response(status, json=said)

    def has_some(self) -> bool:
        """Whether a fetch would bring something."""
        with self.lock:
            if any(row.is_due(self.now) for row in self.rows.values()):
                return True
            return self._above(1, 1) != []

    # --- verbs --------------------------------------------------------------------------------

    def get(self, given: Any) -> tuple[int, Any]:
        leases = self.mode == "lease"
        row: dict[str, Any] = {
            "name": NAME,
            "channel": "orders",
            "kind": "pull",
            "mode": self.mode,
            "state": "active",
        }
        row |= {"position": self.cursor.position, "lag": None}
        return 200, row | {"ack_deadline_seconds": self.deadline_seconds if leases else None}

    def _above(self, most: int, size: int) -> list[int]:
        wanted = (number for number in range(number_of(self.cursor.position) + 1, self.count))
        found = []
        for number in wanted:
            if self.wants(number):
                size -= len(f"text {number}")
                if len(found) >= most or (size < 0 and found):
                    break
                found.append(number)
        return found

    def _upto(self, found: list[int], most: int) -> str:
        if len(found) >= most:
            return position_of(found[-1])
        return max(self.cursor.position, position_of(self.count - 1)) if self.count else self.cursor.position

    def commits(self) -> list[str]:
        """The positions that were committed, by a fetch or by themselves."""
        said = (body.get("commit" if verb == "fetch" else "position") for verb, body in self.asked)
        return [position for position in said if position is not None]

    def fetch(self, given: Any) -> tuple[int, Any]:
        if "commit" in given:
            said = {"position": given["commit"], "generation": given.get("generation")}
            status, answer = self.commit(said)
            if status != 200:
                return status, answer
        with_it = self._said_with(given)
        found = self._above(given["max"], given["max_bytes"])
        upto = self._upto(found, given["max"])
        if self.mode == "cursor":
            self.cursor = self.cursor.fetch(upto, self.cursor.generation)
            return 200, self._fetched(upto, [self._row(number) for number in found])
        ahead = Ahead(
            self.cursor.position,
            upto,
            [(position_of(number), number.to_bytes(12)) for number in found],
            self.cursor.generation,
        )
        due = sorted(
            (row for row in self.rows.values() if row.is_due(self.now)), key=lambda row: row.position
        )
        alive = [row.position for row in self.rows.values() if row.state is not State.DEAD]
        rows = Rows(due[: given["max"]], len(alive), min(alive, default=""))
        leased = lease(self.settings, self.cursor, rows, ahead, given["max"], self.now)
        for row in (*leased.again, *leased.new, *leased.dead):
            self.rows[row.position] = row
        self.cursor = leased.cursor
        out = sorted((*leased.again, *leased.new), key=lambda row: row.position)
        messages = [self._row(number_of(o.position), o) for o in out]
        return 200, self._fetched(self.cursor.position, messages) | with_it

    def hear(self, content: bytes | None) -> None:
        """A fetch has come, and waits: what it says holds already."""
        with self.lock:
            given = json.loads(content or b"{}")
            if self.heard is None and "ack" in given:
                self.heard = self._said_with(given)

    def _said_with(self, given: Any) -> Any:
        if "ack" not in given:
            return {}
        found, self.heard = self.heard, None
        return found or {"settled": self.ack({"tokens": given["ack"]})[1]["results"]}

    def commit(self, given: Any) -> tuple[int, Any]:
        before = self.cursor
        try:
            self.cursor = self.cursor.commit(given["position"], given.get("generation"))
        except CursorMoved as exc:
            moved = {"position": exc.position, "generation": exc.generation, "detail": "It is elsewhere."}
            return 409, moved | {"type": "urn:relay:problem:cursor-moved"}
        over = range(number_of(before.position) + 1, number_of(self.cursor.position) + 1)
        self.done += [number for number in over if self.wants(number)]
        return 200, {"position": self.cursor.position, "generation": self.cursor.generation}

    def ack(self, given: Any) -> tuple[int, Any]:
        def end(row: Delivery) -> None:
            del self.rows[row.position]
            self.done.append(number_of(row.position))

        return self._settle(given, end)

    def nack(self, given: Any) -> tuple[int, Any]:
        delay = given.get("delay_seconds")
        wait = None if delay is None else int(delay * 1000)

        def back(row: Delivery) -> None:
            self.rows[row.position] = row.nack(self.settings, self.now, wait)

        return self._settle(given, back)

    def extend(self, given: Any) -> tuple[int, Any]:
        def more(row: Delivery) -> None:
            self.rows[row.position] = row.extend(self.settings, self.now, int(given["seconds"] * 1000))

        return self._settle(given, more)

    def _settle(self, given: Any, change: Callable[[Delivery], None]) -> tuple[int, Any]:
        results = []
        for text in given["tokens"]:
            token = Token.parse(text)
            assert token is not None
            row = self.rows.get(token.position) if token.generation == self.cursor.generation else None
            is_ok = row is not None and row.is_held(token.attempt)
            if is_ok and row is not None:
                change(row)
            results.append({"token": text, "ok": is_ok, "error": None if is_ok else "Too late."})
        return 200, {"results": results}

    # --- others -------------------------------------------------------------------------------

    def seek(self, number: int) -> None:
        """An operator: go on with this message."""
        with self.lock:
            self.cursor = self.cursor.seek(position_of(number - 1) if number else Cursor().position)
            self.rows.clear()

    # --- rows ---------------------------------------------------------------------------------

    def _fetched(self, position: str, messages: list[Any]) -> Any:
        skipped, self.skipped = self.skipped, None
        return {
            "messages": messages,
            "position": position,
            "generation": self.cursor.generation,
            "skipped": skipped,
            "state": "active",
        }

    def _row(self, number: int, row: Delivery | None = None) -> Any:
        found: dict[str, Any] = {
            "id": f"{number:024x}",
            "channel": "orders",
            "message": f"text {number}",
            "encoding": "utf-8",
            "received_at": "2026-11-21T12:00:00.123000Z",
            "position": position_of(number),
            "attributes": None,
            "content_type": None,
            "produced_by": None,
        }
        if row is not None:
            token = Token(self.cursor.generation, row.attempt, row.position)
            deadline = datetime.fromtimestamp(row.deadline_at / 1000, UTC).isoformat()
            found["delivery"] = {"token": str(token), "attempt": row.attempt, "deadline_at": deadline}
        return found
