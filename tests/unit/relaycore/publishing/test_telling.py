"""What is appended waits until it is stored, and is appended again only if it is gone."""

from relaycore.publishing.standing import Stored, Unstored
from relaycore.publishing.telling import Telling


def test_what_stands_is_not_appended_again_before_it_is_known_what_became_of_it() -> None:
    telling: Telling[str] = Telling()
    assert (telling.together([1, 2]), telling.where) == (2, None)
    telling.appended([1, 2], "there")
    assert not telling.judged(Unstored.NOT_YET)
    # What has come meanwhile is told later.
    assert (telling.together([1, 2, 3]), telling.where) == (2, "there")
    assert telling.judged(Stored([], []))
    assert (telling.together([3]), telling.where) == (1, None)


def test_what_is_gone_is_appended_again() -> None:
    telling: Telling[str] = Telling()
    telling.appended([1], "there")
    assert not telling.judged(Unstored.GONE)
    assert (telling.together([1, 2]), telling.where) == (2, None)


def test_what_somebody_else_has_told_is_not_waited_for() -> None:
    telling: Telling[str] = Telling()
    telling.appended([1, 2], "there")
    assert (telling.together([2, 3]), telling.where) == (2, None)
