"""What the benchmark publishes, and how it knows afterwards what came."""

import json

import bson
import pytest

from benchmarks.load import FIRST_ID, Load, Shape, chunks, ids_in, make_load


@pytest.mark.parametrize("size", [60, 100, 170, 10_000])
def test_a_message_is_json_with_its_id_and_has_the_size_asked_for(size: int) -> None:
    shape = Shape(size=size)
    for id in (FIRST_ID, FIRST_ID + 9972, 9_999_999_999):
        text = shape.text(id)
        assert len(text) == size
        assert json.loads(text)["id"] == id


def test_a_message_that_cannot_hold_its_id_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 60 bytes"):
        Shape(size=59)


def test_channels_are_used_in_turn() -> None:
    shape = Shape("c-", channels=3)
    assert [shape.channel(id) for id in range(6)] == shape.names * 2


def test_no_two_loads_share_an_id() -> None:
    first, second = make_load(Shape(), 10), make_load(Shape(), 5)
    assert not set(first.ids) & set(second.ids)


def test_ids_are_found_in_what_mongodb_answers() -> None:
    shape = Shape()
    stored = [bson.encode({"message": shape.text(id).decode()}) for id in range(FIRST_ID, FIRST_ID + 50)]
    assert list(ids_in(b"".join(stored))) == list(range(FIRST_ID, FIRST_ID + 50))


def test_chunks_are_the_whole_load_in_order() -> None:
    load = Load(Shape(), 7, 25)
    assert [id for chunk in chunks(load, 10) for id in chunk] == list(load.ids)
