"""Settings from the environment: read strictly, or the start ends with the name of the variable."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from relaybase import env
from relaybase.env import WrongSetting

NAME = "RELAY_FOR_THIS_TEST"


@pytest.fixture
def variable(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.delenv(f"{NAME}_FILE", raising=False)
    return monkeypatch


def test_what_is_not_set_has_its_default(variable: pytest.MonkeyPatch) -> None:
    assert env.text(NAME, "default") == "default"
    assert env.whole(NAME, 7) == 7
    assert env.seconds(NAME, 1.5) == 1.5
    assert env.flag(NAME, default=True) is True
    assert env.flag(NAME, default=False) is False
    assert env.listing(NAME, "a,b") == ["a", "b"]
    assert env.listing(NAME) == []


def test_what_is_empty_is_not_set(variable: pytest.MonkeyPatch) -> None:
    variable.setenv(NAME, "")
    variable.setenv(f"{NAME}_FILE", "")
    test_what_is_not_set_has_its_default(variable)


def test_an_empty_variable_does_not_contradict_a_file(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    variable.setenv(NAME, "")
    variable.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert env.text(NAME, "default") == "s3cret"


def test_a_file_that_is_no_text_is_named(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    variable.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    with pytest.raises(WrongSetting, match=f"{NAME}_FILE: .*secret cannot be read: it is not text"):
        env.text(NAME, "")


def test_one_of_a_few_words_is_read_in_any_case(variable: pytest.MonkeyPatch) -> None:
    assert env.one_of(NAME, "INFO", ("INFO", "ERROR")) == "INFO"
    variable.setenv(NAME, "error")
    assert env.one_of(NAME, "INFO", ("INFO", "ERROR")) == "ERROR"
    variable.setenv(NAME, "loud")
    with pytest.raises(WrongSetting, match=f"{NAME} must be INFO or ERROR, not 'loud'"):
        env.one_of(NAME, "INFO", ("INFO", "ERROR"))


def test_text_that_does_not_fit_is_refused_and_not_shown(variable: pytest.MonkeyPatch) -> None:
    variable.setenv(NAME, "s3cret word")
    with pytest.raises(WrongSetting, match=f"{NAME} must be one word") as caught:
        env.fitting(NAME, "", "[a-z0-9]+", "one word")
    assert "s3cret" not in str(caught.value)


def test_a_wrong_setting_ends_a_program_with_its_sentence_alone() -> None:
    code = f"from relaybase import env; env.whole('{NAME}', 1)"
    environment = {**os.environ, NAME: "x"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{NAME} must be a whole number from 0 to ")
    assert done.stderr.count("\n") == 1


def test_text_is_taken_as_it_is(variable: pytest.MonkeyPatch) -> None:
    variable.setenv(NAME, "  as it is ")
    assert env.text(NAME, "default") == "  as it is "


def test_a_secret_may_stand_in_a_file_without_its_last_line_break(
    variable: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    variable.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert env.text(NAME, "default") == "s3cret"


def test_a_secret_in_two_places_is_a_contradiction(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable.setenv(NAME, "one")
    variable.setenv(f"{NAME}_FILE", str(tmp_path / "other"))
    with pytest.raises(WrongSetting, match=f"Set {NAME} or {NAME}_FILE, not both"):
        env.text(NAME, "")


def test_a_file_that_cannot_be_read_is_named(variable: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable.setenv(f"{NAME}_FILE", str(tmp_path / "missing"))
    with pytest.raises(WrongSetting, match=f"{NAME}_FILE: .*missing cannot be read: No such file"):
        env.text(NAME, "")


@pytest.mark.parametrize(("value", "number"), [("3", 3), ("10", 10), (" 5 ", 5)])
def test_whole_numbers_between_the_bounds_are_read(
    variable: pytest.MonkeyPatch, value: str, number: int
) -> None:
    variable.setenv(NAME, value)
    assert env.whole(NAME, 7, least=3, most=10) == number


@pytest.mark.parametrize("value", ["2", "11", "-3", "3.0", "three", "1e1", "0x5", "9" * 5000])
def test_other_whole_numbers_are_refused_with_name_bounds_and_value(
    variable: pytest.MonkeyPatch, value: str
) -> None:
    variable.setenv(NAME, value)
    with pytest.raises(WrongSetting, match=f"{NAME} must be a whole number from 3 to 10, not '{value}'"):
        env.whole(NAME, 7, least=3, most=10)


@pytest.mark.parametrize(("value", "number"), [("0.5", 0.5), ("1", 1.0), ("1e3", 1000.0)])
def test_seconds_may_have_a_fraction(variable: pytest.MonkeyPatch, value: str, number: float) -> None:
    variable.setenv(NAME, value)
    assert env.seconds(NAME, 7.0, least=0.5) == number


@pytest.mark.parametrize("value", ["0.49", "-1", "nan", "inf", "1e300", "86401", "1 s", "1,5"])
def test_other_seconds_are_refused(variable: pytest.MonkeyPatch, value: str) -> None:
    variable.setenv(NAME, value)
    with pytest.raises(
        WrongSetting, match=f"{NAME} must be a number of seconds from 0.5 to 86400, not '{value}'"
    ):
        env.seconds(NAME, 7.0, least=0.5)


@pytest.mark.parametrize("value", ["1", "true", "TRUE", "Yes", "on"])
def test_yes(variable: pytest.MonkeyPatch, value: str) -> None:
    variable.setenv(NAME, value)
    assert env.flag(NAME, default=False) is True


@pytest.mark.parametrize("value", ["0", "false", "False", "NO", "off"])
def test_no(variable: pytest.MonkeyPatch, value: str) -> None:
    variable.setenv(NAME, value)
    assert env.flag(NAME, default=True) is False


@pytest.mark.parametrize("value", ["2", "y", "maybe", " true"])
def test_neither_yes_nor_no_is_refused(variable: pytest.MonkeyPatch, value: str) -> None:
    variable.setenv(NAME, value)
    with pytest.raises(WrongSetting, match=f"{NAME} must be true or false, not '{value}'"):
        env.flag(NAME, default=True)


@pytest.mark.parametrize(
    ("value", "values"),
    [("a", ["a"]), ("a,b", ["a", "b"]), (" a , b ,", ["a", "b"]), ("", ["default"]), ("a b", ["a b"])],
)
def test_lists_have_commas_between(variable: pytest.MonkeyPatch, value: str, values: list[str]) -> None:
    variable.setenv(NAME, value)
    assert env.listing(NAME, "default") == values


@pytest.mark.parametrize("value", [",", " , ", "a,B"])
def test_lists_of_nothing_or_of_what_does_not_fit_are_refused(
    variable: pytest.MonkeyPatch, value: str
) -> None:
    variable.setenv(NAME, value)
    with pytest.raises(WrongSetting, match=f"{NAME} must be letters with commas between, not "):
        env.listing(NAME, pattern="[a-z]", what="letters")
