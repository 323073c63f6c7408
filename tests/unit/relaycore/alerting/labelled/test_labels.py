"""Labels, and what a set of them is known by."""

import pytest

from relaycore.alerting.labelled import labels
from relaycore.alerting.labelled.refused import BadAlert


@pytest.mark.parametrize(
    ("given", "fingerprint"),
    [
        # From the tests of prometheus/common, model/signature_test.go.
        ({}, 14695981039346656037),
        ({"name": "garland, briggs", "fear": "love is not enough"}, 5799056148416392346),
    ],
)
def test_are_known_by_what_prometheus_knows_them_by(given: dict[str, str], fingerprint: int) -> None:
    assert labels.fingerprint(given) == f"{fingerprint:016x}"


def test_are_the_same_in_any_order() -> None:
    assert labels.fingerprint({"a": "1", "b": "2"}) == labels.fingerprint({"b": "2", "a": "1"})
    assert labels.fingerprint({"a": "1", "b": "2"}) != labels.fingerprint({"a": "1b", "": "2"})


def test_leave_out_what_is_empty() -> None:
    assert labels.read({"a": "1", "b": ""}) == {"a": "1"}
    assert labels.read({"a": "1", "b": ""}, keeps_empty=True) == {"a": "1", "b": ""}
    assert labels.read(None) == {}


@pytest.mark.parametrize(
    "given",
    [
        [],
        "a",
        {"a": 1},
        {"a": None},
        {"": "a"},
        {1: "a"},
        {"a": "\x00"},
        {"a": "x" * 20_000},
    ],
)
def test_must_be_names_and_texts(given: object) -> None:
    with pytest.raises(BadAlert, match="annotations"):
        labels.read(given, "annotations")


def test_have_a_replacement_for_half_a_surrogate_pair() -> None:
    # As Go reads it: whoever cut off a text in UTF-16 has meant what stands before.
    assert labels.read({"a": "fire \ud83d", "b\udd25": "\ud83d\udd25"}) == {
        "a": "fire \ufffd",
        "b\ufffd": "\U0001f525",
    }


def test_are_written_as_alertmanager_writes_them() -> None:
    assert labels.written({"b": 'say "hi"\n', "a": "\\"}) == '{a="\\\\", b="say \\"hi\\"\\n"}'
