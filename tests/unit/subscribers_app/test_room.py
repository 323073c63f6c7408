"""What an answer takes up is known before anything is handed out, is never too little, and leaves some."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.leasing import Delivery, State
from subscribers_app.api.fetched import as_text
from subscribers_app.pulling.asked import Given
from subscribers_app.pulling.room import Place
from tests.unit.subscribers_app.test_fetched import POSITION, document, words

ROOM = 1 << 20

odd = st.text(st.sampled_from('\0\1\x1f\n"\\\u2028\u2029é€🙂/<a'), max_size=300)


@pytest.fixture(autouse=True)
def room(settings: Any) -> None:
    """1 MiB."""
    settings.RELAY_FETCH_MEMORY_BYTES = ROOM


def at(position: str, message: str) -> dict[str, Any]:
    return document(message, position=position)


def answer(*documents: dict[str, Any]) -> Given:
    """Each of them with a token."""
    made = {one["position"]: one for one in documents}
    leased = Delivery(POSITION, b"0123456789ab", State.LEASED, 1 << 31, 1 << 41, 1 << 41)
    return Given(POSITION, 1 << 62, list(documents), dict.fromkeys(made, leased))


@given(
    st.lists(
        st.tuples(odd | st.binary(max_size=300), st.dictionaries(words, odd, max_size=3), odd, st.booleans()),
        min_size=1,
        max_size=5,
    ),
    st.booleans(),
)
def test_it_is_never_too_little(
    many: list[tuple[str | bytes, dict[str, str], str, bool]], full: bool
) -> None:
    documents = [
        document(
            message, **({"content_type": word, "produced_by": word, "attributes": said} if is_said else {})
        )
        for message, said, word, is_said in (
            (message, {name.replace("\0", ""): value for name, value in said.items()}, word, is_said)
            for message, said, word, is_said in many
        )
    ]

    async def take() -> None:
        other, place = Place(), Place()
        if full:
            # What is in it has to be looked at.
            other.grow(ROOM - 4000)
        count = place.take(documents)
        assert count == len(documents) or full
        if count:
            around = as_text(answer()).size
            assert as_text(answer(*documents[:count])).size - around <= place.size

    asyncio.run(take())


def test_a_page_takes_half_of_what_is_free_and_one_message_all_of_it() -> None:
    quarter = document("x" * (ROOM // 5))

    async def take() -> None:
        places = [Place() for _ in range(5)]
        assert [place.take([quarter] * 10) for place in places] == [2, 1, 1, 0, 0]
        places[0].give_back()
        assert places[3].take([quarter] * 10) == 1
        for place in places:
            place.give_back()
            place.give_back()
        assert places[0].take([document("\1" * ROOM)] * 2) == 1  # Six times the room, and alone.
        assert places[1].take([document("")]) == 0

    asyncio.run(take())


def test_what_is_taken_is_in_place_of_what_was() -> None:
    large, small = at("1", "x" * (ROOM * 2 // 3)), at("2", "x")

    async def take() -> None:
        place, other = Place(), Place()
        other.grow(1)
        assert place.take([large]) == 1
        assert place.take([small, large]) == 1
        assert (place.is_for(["2"]), place.is_for(["1"]), place.is_for(["1", "2"])) == (True, False, False)
        assert place.size < 1000
        other.give_back()
        place.give_back()
        assert not place.is_for(["2"])
        other.grow(ROOM)
        assert place.take([small]) == 0
        assert not place.is_for(["2"])
        assert place.is_for([])

    asyncio.run(take())


def test_of_many_only_so_many_take_room_whichever_they_are() -> None:
    many = [at(str(number), "x" * 10_000) for number in range(200)]
    one = 6 * 10_000

    async def take() -> None:
        place = Place()
        assert not place.take_some(many, 100)
        assert (place.size, place.is_for(["0"])) == (0, False)
        assert place.take_some(many, 5)
        assert 5 * one < place.size < 6 * one
        assert place.is_for(["0", "199"])
        place.leave(many[7:8])
        assert one < place.size < 2 * one
        assert (place.is_for(["7"]), place.is_for(["8"])) == (True, False)
        place.leave([])
        assert place.size == 0

    asyncio.run(take())


def test_the_largest_ones_take_room_where_some_do() -> None:
    mixed = [at("1", "x"), at("2", "x" * 50_000), at("3", "x")]

    async def take() -> None:
        place = Place()
        assert place.take_some(mixed, 1)
        assert place.size > 6 * 50_000

    asyncio.run(take())


def test_what_turns_out_to_be_smaller_takes_less() -> None:
    async def take() -> None:
        place, other = Place(), Place()
        other.grow(1)
        place.take([document("x" * (ROOM // 13))])  # Without a look at it: six times as much.
        assert place.size > ROOM * 6 // 13
        place.keep(ROOM // 10)
        assert place.size == ROOM // 10
        place.keep(ROOM)
        assert place.size == ROOM // 10
        assert other.grow(ROOM * 8 // 10)

    asyncio.run(take())
