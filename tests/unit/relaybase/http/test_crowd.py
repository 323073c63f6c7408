"""Who has to go where there are too many."""

from relaybase.http.crowd import Crowd


def _enter(crowd: Crowd, peer: str, name: str, gone: list[str], size: int = 1) -> object:
    return crowd.enter(peer, size, lambda: gone.append(name))


def test_the_oldest_of_a_peer_that_has_too_many_goes() -> None:
    crowd, gone = Crowd(10, 2), list[str]()
    for name in ("a1", "a2", "a3"):
        _enter(crowd, "a", name, gone)
    _enter(crowd, "b", "b1", gone)

    assert gone == ["a1"]
    assert crowd.size == 3


def test_where_there_are_too_many_in_all_the_peer_with_the_most_gives_way() -> None:
    crowd, gone = Crowd(4, 3), list[str]()
    for peer, name in [("b", "b1"), ("a", "a1"), ("a", "a2"), ("a", "a3"), ("c", "c1"), ("d", "d1")]:
        _enter(crowd, peer, name, gone)

    assert gone == ["a1", "a2"]
    assert crowd.size == 4


def test_who_is_done_counts_no_more_and_is_not_sent_away() -> None:
    crowd, gone = Crowd(10, 2), list[str]()
    for _ in range(100):
        place = crowd.enter("a", 1, lambda: gone.append("somebody"))
        crowd.done(place)
        crowd.done(place)
        crowd.grow(place, 100)

    assert gone == []
    assert crowd.size == 0


def test_who_grows_may_be_the_one_who_goes() -> None:
    crowd, gone = Crowd(10, 5), list[str]()
    place = crowd.enter("a", 1, lambda: gone.append("it"))

    crowd.grow(place, 5)
    crowd.grow(place, 5)

    assert gone == ["it"]
    assert crowd.size == 0
