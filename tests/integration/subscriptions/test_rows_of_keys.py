"""What PostgreSQL says of rows in order by a field is what `relaycore.delivering` means."""

import random
from typing import Any

import pytest
from django.db import connection, transaction

from relaycore.delivering.holding import Held
from relaycore.delivering.leasing import Delivery, Rows, State, first_of_each_key
from subscribers_app.pulling import holding, ledger
from tests.integration.subscriptions.conftest import at, key, subscribe

pytestmark = pytest.mark.django_db

NOW = 1_800_000_000_000
KEYS = ["", "a" * 24, "b" * 24, "c" * 24, "d" * 24]


def some_rows(chance: random.Random) -> list[Delivery]:
    rows = []
    for number in sorted(chance.sample(range(1, 30), chance.randint(0, 12))):
        state = chance.choice(list(State))
        due_at = chance.choice([NOW - 5, NOW, NOW + 5, NOW + 10**9])
        rows.append(Delivery(at(number), key(number), state, 1, due_at, key=chance.choice(KEYS)))
    return rows


def some_held(chance: random.Random) -> list[Held]:
    keys = chance.sample(KEYS[1:], chance.randint(0, 4))
    numbers = chance.sample(range(1, 30), len(keys))
    return [Held(one, at(number), at(number + 3), 2) for one, number in zip(keys, numbers, strict=True)]


def meant(rows: list[Delivery], held: list[Held], most: int, keys: list[str]) -> Rows:
    way = [one for one in rows if one.state is not State.DEAD]
    due = [one for one in first_of_each_key(way) if one.is_due(NOW)]
    busy = {one.key for one in way}
    opened = sorted((one for one in held if one.key not in busy), key=lambda one: one.above)
    return Rows(
        due[:most],
        len(way) + len(opened),
        way[0].position if way else "",
        busy & set(keys) - {""},
        {one.key: one for one in held if one.key in keys},
        opened[:most],
    )


@pytest.mark.parametrize("seed", range(40))
def test_rows_are_as_they_are_meant(orders: Any, seed: int) -> None:
    chance = random.Random(seed)
    subscription = subscribe(order="field", order_field="customer")
    other = subscribe("other", order="field", order_field="customer")
    rows, held, most = some_rows(chance), some_held(chance), chance.randint(1, 4)
    keys = chance.sample(KEYS, chance.randint(0, 5))
    with transaction.atomic(), connection.cursor() as sql:
        for id, some, waiting in (
            (other.pk, some_rows(chance), some_held(chance)),
            (subscription.pk, rows, held),
        ):
            ledger.lock(sql, [id])
            ledger.insert(sql, id, some)
            holding.write(sql, id, waiting, [])
        found = ledger.rows(sql, subscription.pk, NOW, most, keys)
        assert sorted(holding.all_of(sql, subscription.pk), key=str) == sorted(held, key=str)
    assert found == meant(rows, held, most, keys)
    with connection.cursor() as sql:
        is_due = ledger.glance(sql, [subscription.pk])[subscription.pk].is_due
    assert is_due >= bool(found.open)
