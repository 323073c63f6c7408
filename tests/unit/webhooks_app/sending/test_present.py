"""Whoever rests is passed over, and whoever does not is not."""

from types import SimpleNamespace
from typing import Any

import pytest

from webhooks_app.sending.present import Present
from webhooks_app.sending.recording import seeing
from webhooks_app.sending.recording.seeing import Rhythm


class Course:
    """A subscription; how often it was asked how it stands."""

    def __init__(self, id: int, *, is_timed: bool = False, is_keyed: bool = False) -> None:
        self.id = id
        self.hook = SimpleNamespace(is_timed=is_timed)
        self.is_keyed = is_keyed
        self.wants_look = self.has_rows = False
        self.trouble = ""
        self.turns = 0

    def turn(self) -> None:
        self.turns += 1


class Lane:
    """An endpoint; how often it was asked how it fares."""

    def __init__(self) -> None:
        self.asked = 0
        self._faring = SimpleNamespace(is_changed=False, has_news=False)

    @property
    def faring(self) -> Any:
        self.asked += 1
        return self._faring


def present(*courses: Course) -> Any:
    made: Any = Present()
    for course in courses:
        made.put(course)
    return made


def test_those_are_watched_of_which_something_has_happened_for_as_long_as_they_want() -> None:
    at_rest, waits, has_rows = (Course(id) for id in range(3))
    here = present(at_rest, waits, has_rows)
    waits.wants_look = has_rows.has_rows = True
    assert here.watched() == []
    here.watch([at_rest, waits, has_rows])
    assert here.watched() == here.watched() == [waits, has_rows]
    waits.wants_look = False
    assert here.watched() == [has_rows]
    waits.wants_look = True
    here.watch([waits])
    here.remove(has_rows)
    assert here.watched() == [waits]


def test_time_comes_to_those_whom_it_changes() -> None:
    timed, at_rest = Course(1, is_timed=True), Course(2)
    here = present(timed, at_rest)
    here.turn()
    timed.hook, at_rest.hook = at_rest.hook, timed.hook
    here.put(timed)
    here.put(at_rest)
    here.turn()
    assert (timed.turns, at_rest.turns) == (1, 1)
    here.remove(at_rest)
    here.turn()
    assert at_rest.turns == 1


def test_what_another_thread_was_given_does_not_change() -> None:
    here = present(Course(1), Course(2, is_keyed=True))
    ids, keyed = here.ids, here.keyed
    assert here.ids is ids, "it is made once"
    another = Course(2)
    here.put(another)
    here.put(Course(3))
    here.remove(Course(1))  # Another one has its place.
    assert (ids, keyed) == ({1, 2}, {2})
    assert (here.ids, here.keyed) == ({1, 2, 3}, frozenset())
    here.remove(another)
    assert here.ids == {1, 3}


def test_a_trouble_is_told_until_it_ends() -> None:
    course = Course(1)
    here = present(course, Course(2))
    here.hear(course)
    assert here.troubles == []
    course.trouble = "MongoDB does not answer"
    here.hear(course)
    assert here.troubles == here.troubles == [course.trouble]
    course.trouble = ""
    assert here.troubles == []
    course.trouble = "again"
    here.hear(course)
    here.remove(course)
    assert here.troubles == []


def test_an_endpoint_of_which_nothing_is_heard_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(seeing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    rhythm: Any = Rhythm()
    at_rest, changed, news = Lane(), Lane(), Lane()
    assert rhythm.due(is_last=False) == []
    changed._faring.is_changed = news._faring.has_news = True
    rhythm.hear(changed)
    rhythm.hear(news)
    clock[0] += seeing.SECONDS / 2
    assert rhythm.due(is_last=False) == [changed]
    changed._faring.is_changed = False
    assert rhythm.due(is_last=False) == []
    clock[0] += seeing.SECONDS
    assert rhythm.due(is_last=False) == [news]
    asked = news.asked
    assert rhythm.due(is_last=True) == []
    assert (at_rest.asked, news.asked) == (0, asked), "what was said of it is not said again"
    rhythm.hear(news)
    assert rhythm.due(is_last=True) == [news], "at the end all is said"
    rhythm.hear(news)
    rhythm.forget(news)
    assert rhythm.due(is_last=True) == []


def test_of_too_many_endpoints_the_others_come_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeing, "MOST", 2)
    rhythm: Any = Rhythm()
    lanes = [Lane() for _ in range(3)]
    for lane in lanes:
        lane._faring.has_news = True
        rhythm.hear(lane)
    assert rhythm.due(is_last=False) == lanes[:2]
    assert rhythm.due(is_last=False) == lanes[2:]
