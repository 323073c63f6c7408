"""Which names may be relayed, and which partition has them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.channels import (
    MAX_NAME_BYTES,
    MOST_PARTITIONS,
    STREAM,
    check_name,
    check_new_name,
    partition_of,
    places_of,
)
from relaycore.errors import BadChannelName

GOOD = [
    "orders",
    "a",
    " ",
    "two words",
    " leading and trailing ",
    "/",
    "a/b//c/",
    "eu:orders:created",
    "{tag}:orders",
    "*",
    "news.[ab]?",
    "Größe",
    "заказы",
    "注文",
    "🛒",
    "e\u0301",  # a letter and its accent
    "\u00a0",  # a space that does not break
    "\u200b",  # of no width
    "x" * MAX_NAME_BYTES,
    "é" * 127 + "x",  # 255 bytes, 128 characters
    "🛒" * 63 + "abc",  # 255 bytes, 66 characters
    # near misses of what is reserved
    f"my {STREAM}",
    "_relay",
    "__rela",
    "x__relay",
    "__keyspace",
    "__redis__",
    "celery",
    "Celery.task",
    "my celery.task",
    "/celery.pidbox",
    "/0/celery.pidbox",
    "/0.orders",
    "0.celery.pidbox",
]

RESERVED = [
    (STREAM, "Relay publishes there itself"),
    (f"{STREAM}:{{0}}", "Relay publishes there itself"),
    (f"{{{STREAM}}}", "Relay publishes there itself"),
    ("__relay", "reserved for Relay"),
    ("__relay:{0}:tick", "reserved for Relay"),
    ("__keyspace@0__:orders", "keyspace notifications"),
    ("__keyevent@12__:del", "keyspace notifications"),
    ("__redis__:invalidate", "belongs to the Redis server"),
    ("__sentinel__:hello", "belongs to the Redis server"),
    ("celery-task-meta-0b1c", "belongs to Celery"),
    ("celeryev", "belongs to Celery"),
    ("celeryev/worker.heartbeat", "belongs to Celery"),
    ("celery.pidbox", "belongs to Celery"),
    ("reply.celery.pidbox", "belongs to Celery"),
    ("/0.celery.pidbox", "belongs to Celery"),
    ("/15.celeryev/worker.online", "belongs to Celery"),
    ("/0.reply.celery.pidbox", "belongs to Celery"),
    ("/0.some prefix.pidbox", "belongs to Celery"),
]

CONTROL = [chr(code) for code in (*range(32), *range(127, 160))] + ["\u2028", "\u2029"]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_returned_as_it_is(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(("name", "why"), RESERVED)
def test_a_reserved_name_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(BadChannelName, match=why):
        check_name(name)


@pytest.mark.parametrize("char", CONTROL, ids=lambda char: f"U+{ord(char):04X}")
def test_control_characters_and_line_breaks_are_refused_wherever_they_stand(char: str) -> None:
    for name in (char, f"{char}orders", f"or{char}ders", f"orders{char}"):
        with pytest.raises(BadChannelName, match="control characters or line breaks"):
            check_name(name)


@pytest.mark.parametrize("name", ["", "x" * 256, "é" * 128, "🛒" * 64])
def test_a_name_has_1_to_255_bytes_and_the_error_says_how_many_it_has(name: str) -> None:
    with pytest.raises(
        BadChannelName, match=rf"1 to 255 bytes as UTF-8; this one has {len(name.encode())}\."
    ):
        check_name(name)


@pytest.mark.parametrize("name", ["\ud800", "orders\udfff", "\ude00\ud83d"])
def test_half_a_surrogate_pair_is_refused(name: str) -> None:
    with pytest.raises(BadChannelName, match="UTF-8"):
        check_name(name)


@given(st.text())
def test_any_text_is_either_returned_or_refused(name: str) -> None:
    try:
        assert check_name(name) is name
    except BadChannelName:
        return
    assert 1 <= len(name.encode()) <= 255
    assert not {unicodedata.category(char) for char in name} & {"Cc", "Cs", "Zl", "Zp"}


# --- partitions --------------------------------------------------------------------------

NAMES = [f"orders:{number}" for number in range(4000)]


def reference_partition(name: str, partitions: int) -> int:
    """FNV-1a and jump hash, once more, as their papers have them."""
    return reference_jump(reference_fnv1a(name.encode()), partitions)


def reference_fnv1a(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value ^= byte
        value = value * 1099511628211 % 2**64
    return value


def reference_jump(key: int, buckets: int) -> int:
    b, j = -1, 0.0
    while j < buckets:
        b = int(j)
        key = (key * 2862933555777941757 + 1) % 2**64
        j = float(int((b + 1) * (2.0**31 / ((key >> 33) + 1.0))))
    return b


def test_the_reference_gives_the_published_vectors() -> None:
    # http://www.isthe.com/chongo/src/fnv/test_fnv.c, and the tests of github.com/dgryski/go-jump
    assert reference_fnv1a(b"") == 0xCBF29CE484222325
    assert reference_fnv1a(b"a") == 0xAF63DC4C8601EC8C
    assert reference_fnv1a(b"foobar") == 0x85944171F73967E8
    assert [reference_jump(*of) for of in ((1, 1), (42, 57), (0xDEAD10CC, 666), (256, 1024))] == [
        0,
        43,
        361,
        520,
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 4096))
def test_a_partition_is_the_jump_hash_of_the_name(name: str, partitions: int) -> None:
    assert partition_of(name, partitions) == reference_partition(name, partitions)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, MOST_PARTITIONS))
def test_of_the_places_of_a_name_one_is_that_for_a_number_of_partitions(name: str, partitions: int) -> None:
    found = [place.partition for place in places_of(name) if place.above < partitions <= place.upto]

    assert found == [partition_of(name, partitions)]


def test_partitions_never_change_for_a_name() -> None:
    # Written down: a channel that moved would be heard twice, or out of order.
    known = {"orders": (0, 0, 0, 37, 1811), "Größe": (0, 1, 1, 31, 3743), "注文": (0, 1, 1, 58, 83)}
    for name, partitions in known.items():
        assert tuple(partition_of(name, n) for n in (1, 2, 3, 64, 4096)) == partitions, name


@pytest.mark.parametrize("n", [1, 2, 3, 7, 16, 63])
def test_growing_by_one_moves_one_channel_in_n_plus_1_and_only_onto_the_new_partition(n: int) -> None:
    moved = [name for name in NAMES if partition_of(name, n) != partition_of(name, n + 1)]

    assert {partition_of(name, n + 1) for name in moved} == {n}
    expected = len(NAMES) / (n + 1)
    assert abs(len(moved) - expected) < 4 * expected**0.5


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        [f"{number:032x}" for number in range(4000)],
        [f"eu/{number}/created" for number in range(4000)],
        [chr(number) for number in range(0x4E00, 0x4E00 + 4000)],
    ],
    ids=["numbered", "hexadecimal", "number in the middle", "one character"],
)
@pytest.mark.parametrize("n", [2, 5, 16])
def test_channels_spread_evenly(names: list[str], n: int) -> None:
    counts = [0] * n
    for name in names:
        counts[partition_of(name, n)] += 1

    expected = len(names) / n
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    assert chi_square < n - 1 + 4 * (2 * (n - 1)) ** 0.5


def test_a_door_makes_channels_of_its_own_names_and_of_no_others() -> None:
    assert check_new_name("queue/orders", "queue/") == "queue/orders"
    for name, door in (("queue/orders", ""), ("sns/orders", "queue/"), ("queue/\n", "queue/")):
        with pytest.raises(BadChannelName):
            check_new_name(name, door)
