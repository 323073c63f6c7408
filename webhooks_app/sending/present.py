"""The subscriptions of a shard, by what has to be looked at: those that rest take no time.

There may be ten thousand. Whoever has to do with some of them each second, or ten times a second, finds these
here, and passes no other one.
"""

from collections.abc import Iterable, Set

from webhooks_app.sending.course import Course


class Present:
    """Of one sender, in its event loop."""

    def __init__(self) -> None:
        self._courses: dict[int, Course] = {}
        self._ids: frozenset[int] | None = frozenset()
        self._keyed: frozenset[int] = frozenset()
        self._timed: dict[Course, None] = {}
        self._watched: dict[Course, None] = {}
        self._troubled: dict[Course, None] = {}

    def put(self, course: Course) -> None:
        """It is here, or is set to something else."""
        self._courses[course.id] = course
        self._ids = None
        self._timed.pop(course, None)
        if course.hook.is_timed:
            self._timed[course] = None

    def remove(self, course: Course) -> None:
        """It is not here any more."""
        if self._courses.get(course.id) is course:
            del self._courses[course.id]
            self._ids = None
        for some in (self._timed, self._watched, self._troubled):
            some.pop(course, None)

    # --- all of them ---------------------------------------------------------------------

    @property
    def ids(self) -> Set[int]:
        """Whatever changes later, for another thread."""
        if self._ids is None:
            self._ids = frozenset(self._courses)
            self._keyed = frozenset(id for id, course in self._courses.items() if course.is_keyed)
        return self._ids

    @property
    def keyed(self) -> Set[int]:
        """Those in order by a field, as of when `ids` was asked."""
        return self._keyed

    # --- some of them --------------------------------------------------------------------

    def turn(self) -> None:
        """A second has passed."""
        for course in list(self._timed):
            course.turn()

    def watch(self, courses: Iterable[Course]) -> None:
        """Of these something has happened."""
        for course in courses:
            if course.wants_look or course.has_rows:
                self._watched[course] = None

    def watched(self) -> list[Course]:
        """Those whose rows have to be looked at, whatever happens."""
        self._watched = {one: None for one in self._watched if one.wants_look or one.has_rows}
        return list(self._watched)

    def hear(self, course: Course) -> None:
        """It has something to say, perhaps of a trouble."""
        if course.trouble:
            self._troubled[course] = None

    @property
    def troubles(self) -> list[str]:
        """Why nothing is read of some of them."""
        if self._troubled:
            self._troubled = {one: None for one in self._troubled if one.trouble}
        return [one.trouble for one in self._troubled]
