"""The thread that asks PostgreSQL: which rules there are, and where those stand that are begun with."""

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, field
from typing import Final

from django.conf import settings
from django.db import connection

from alerts_app.keeping import FRONTIERS
from alerts_app.processing.course import Course
from alerts_app.processing.fence import Fence
from alerts_app.processing.frontiers import InForce, in_force
from alerts_app.processing.known import Known, KnownRule, learn
from alerts_app.processing.opening import stand
from messages_app.searching.following import Follower
from relaybase import logs
from relaybase.background import in_background
from relaybase.connections import mongo_collection
from relaycore.channels import partition_of
from relaycore.errors import BadRule, LeaseLost, UnfitServer, one_line

log = logging.getLogger(__name__)

LEARN_SECONDS: Final = 0.75
_PARTING_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class News:
    """What the thread has learned.

    opened:  rules that may begin
    changed: what others are to be set to
    closed:  the uuids of those that are not to be processed any more
    deleted: the uuids of those of which nothing is to be kept
    error:   the processor is to end with it
    """

    opened: list[Course] = field(default_factory=list)
    changed: dict[str, InForce] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    error: Exception | None = None


class Learning:
    """The thread. `news` are for the thread of the processor, which is told when there are some."""

    def __init__(
        self, fence: Fence, told: Callable[[str], Callable[[], None]], woken: threading.Event
    ) -> None:
        self._fence = fence
        self._told = told
        self._woken = woken
        self._follower = Follower()
        self._known = Known()
        self._open: dict[str, KnownRule] = {}
        self._again: set[str] = set()
        self._has_looked_back = False
        self._ends = threading.Event()
        self.news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self.troubles: dict[str, str] = {}
        self._thread = logs.thread(self._run, "learn rules")

    def start(self) -> None:
        """Begin to learn."""
        self._thread.start()

    def begin_again(self, uuid: str, why: str) -> None:
        """With this rule something went wrong: it was let go, and is to be begun with anew."""
        self.troubles[uuid] = f"Rule {self._open[uuid].name}: {why}" if uuid in self._open else why
        self._again.add(uuid)

    def close(self) -> None:
        """End. Nobody waits for a server that stands still."""
        self._ends.set()
        self._thread.join(_PARTING_SECONDS)
        wait([in_background(self._follower.close)], _PARTING_SECONDS)

    # --- the thread ----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._ends.is_set():
                try:
                    self._learn()
                    self.troubles.pop("", None)
                except (LeaseLost, UnfitServer) as exc:
                    self._tell(News(error=exc))
                    return
                except Exception as exc:  # Whatever it is: it is shown, and tried again.
                    self.troubles[""] = f"{type(exc).__name__}: {one_line(exc)}"
                    log.warning("rules are not learned: %s: %s", type(exc).__name__, one_line(exc))
                    connection.close()
                self._ends.wait(LEARN_SECONDS)
        finally:
            connection.close()

    def _learn(self) -> None:
        known = self._known = learn(self._known)
        while self._again:
            self._open.pop(self._again.pop(), None)
        active = {uuid: rule for uuid, rule in known.rules.items() if rule.is_active}
        closed = self._open.keys() - active.keys()
        changed = {
            uuid: rule
            for uuid, rule in active.items()
            if uuid in self._open and self._open[uuid].revision != rule.revision
        }
        deleted = closed - known.rules.keys() | self._left_behind(known)
        if closed or changed or deleted:
            self._tell(News(changed=self._read(changed), closed=closed, deleted=deleted))
        for uuid in closed:
            del self._open[uuid]
        for uuid in (closed | self.troubles.keys()) - active.keys() - {""}:
            self.troubles.pop(uuid, None)
        self._open.update(changed)
        for uuid in active.keys() - self._open.keys():
            if self._ends.is_set():
                return
            self._begin(active[uuid])

    def _read(self, changed: dict[str, KnownRule]) -> dict[str, InForce]:
        found = {}
        for uuid, rule in changed.items():
            try:
                found[uuid] = in_force(rule)
                self.troubles.pop(uuid, None)
            except BadRule as exc:  # It goes on as it was.
                self.troubles[uuid] = f"Rule {rule.name}: {one_line(exc)}"
        return found

    def _begin(self, rule: KnownRule) -> None:
        try:
            partition = partition_of(rule.channel, settings.RELAY_PARTITIONS)
            standing = stand(rule, partition, self._fence)
            if standing is not None:
                # Whoever is told before the course is there finds that out when it comes.
                feed = self._follower.follow(rule.channel, standing.frontier.position, self._told(rule.uuid))
                course = Course(rule, standing, feed, partition)
                changed = {} if standing.in_force.revision == rule.revision else {rule.uuid: in_force(rule)}
                self._tell(News(opened=[course], changed=changed))
            self._open[rule.uuid] = rule
            self.troubles.pop(rule.uuid, None)
        except (LeaseLost, UnfitServer):
            raise
        except Exception as exc:  # Of one rule: the others begin.
            self.troubles[rule.uuid] = f"Rule {rule.name}: {type(exc).__name__}: {one_line(exc)}"
            log.warning("rule %s is not begun with: %s: %s", rule.name, type(exc).__name__, one_line(exc))

    def _left_behind(self, known: Known) -> set[str]:
        """What is kept of rules that were deleted while nobody ran. It is looked for once."""
        if self._has_looked_back:
            return set()
        kept = mongo_collection(FRONTIERS).distinct("rule", {"rule": {"$nin": list(known.rules)}})
        self._has_looked_back = True
        return set(kept)

    def _tell(self, news: News) -> None:
        self.news.put(news)
        self._woken.set()
