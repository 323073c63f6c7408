"""What was read ahead of those that nobody asks for has bounds, and goes in the order in which they rest."""

from dataclasses import dataclass, field

from subscribers_app.pulling.resting import Resting


@dataclass(eq=False)
class One:
    resting: Resting
    held: int = 0
    closed: list[int] = field(default_factory=list)

    def close(self) -> None:
        self.resting.work(self)
        self.closed.append(self.held)
        self.held = 0


def test_who_rests_keeps_what_there_is_room_for() -> None:
    resting = Resting(100)
    few = [One(resting, 50), One(resting, 50)]
    for one in few:
        resting.rest(one)
    assert (resting.size, [one.closed for one in few]) == (100, [[], []])


def test_the_one_that_has_rested_longest_goes_first() -> None:
    resting = Resting(100)
    first, second, third = (One(resting, 40) for _ in range(3))
    for one in (first, second, first, third):
        resting.rest(one)
    assert [one.held for one in (first, second, third)] == [40, 0, 40]
    assert resting.size == 80


def test_who_is_asked_for_again_is_not_let_go() -> None:
    resting = Resting(100)
    asked, idle = One(resting, 90), One(resting, 90)
    resting.rest(asked)
    resting.work(asked)
    resting.rest(idle)
    assert (asked.closed, idle.closed, resting.size) == ([], [], 90)


def test_what_comes_while_it_rests_counts() -> None:
    resting = Resting(100)
    growing, other = One(resting, 10), One(resting, 10)
    resting.rest(growing)
    resting.rest(other)
    other.held = 95
    resting.note(other)
    assert (growing.held, other.held, resting.size) == (0, 95, 95)


def test_what_is_too_much_alone_is_let_go_as_well() -> None:
    resting = Resting(100)
    large = One(resting, 101)
    resting.rest(large)
    assert (large.closed, resting.size) == ([101], 0)


def test_of_who_does_not_rest_nothing_is_noted() -> None:
    resting = Resting(100)
    resting.note(One(resting, 500))
    assert resting.size == 0
