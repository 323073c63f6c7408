"""Ids of outputs and alerts are what the docstring says, and nothing is taken for anything else."""

from hashlib import blake2b

from relaycore.alerting.naming import alert_id, output_id, shard_of

from .inputs import RULE, position

KEY = '["Berlin"]'
CAUSE = position(0)


def test_an_output_is_known_by_the_bytes_that_are_written_down() -> None:
    said = b"r" + bytes.fromhex(RULE) + (3).to_bytes(8) + len(KEY).to_bytes(4) + KEY.encode()
    said += bytes([len(CAUSE)]) + CAUSE.encode() + bytes([4]) + b"open" + (7).to_bytes(4)
    assert output_id(RULE, 3, KEY, CAUSE, "open", 7) == blake2b(said, digest_size=12).digest()
    assert output_id(RULE, 3, KEY, CAUSE, "open", 7).hex() == "a854717e0afac5531d121f60"


def test_an_alert_is_known_by_the_bytes_that_are_written_down() -> None:
    said = b"a" + bytes.fromhex(RULE) + len(KEY).to_bytes(4) + KEY.encode() + CAUSE.encode()
    assert alert_id(RULE, KEY, CAUSE) == blake2b(said, digest_size=12).hexdigest()


def test_whatever_differs_makes_another_id() -> None:
    other = "f" * 32
    several = [
        output_id(RULE, 1, KEY, CAUSE, "open", 0),
        output_id(other, 1, KEY, CAUSE, "open", 0),
        output_id(RULE, 2, KEY, CAUSE, "open", 0),
        output_id(RULE, 1, '["Rome"]', CAUSE, "open", 0),
        output_id(RULE, 1, KEY, CAUSE[:13], "open", 0),
        output_id(RULE, 1, KEY, CAUSE, "close", 0),
        output_id(RULE, 1, KEY, CAUSE, "open", 1),
    ]
    assert len(set(several)) == len(several)


def test_keys_are_shared_out_evenly_and_each_has_one_shard() -> None:
    shards = [shard_of(RULE, f'["{number}"]', 4) for number in range(4000)]
    assert all(850 < shards.count(shard) < 1150 for shard in range(4))
    assert shard_of(RULE, KEY, 4) == shard_of(RULE, KEY, 4)
    assert {shard_of(RULE, f'["{number}"]', 1) for number in range(100)} == {0}
