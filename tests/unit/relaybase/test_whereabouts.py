"""Where the servers are: from the environment, else from a stack that runs beside."""

import json
from pathlib import Path

import pytest

from relaybase import whereabouts
from relaybase.env import WrongSetting

URLS = {
    "DATABASE_URL": "postgres://given/relay",
    "REDIS_URL": "redis://given/",
    "MONGO_URL": "mongodb://given/",
}
STACK = {
    "database_url": "postgres://stack/relay",
    "redis_url": "redis://stack/",
    "mongo_url": "mongodb://stack/",
}


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that names no server, and an empty data directory."""
    for name in URLS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    monkeypatch.setenv("RELAY_SECRET_KEY", "only for tests")
    monkeypatch.setenv("RELAY_DATA_DIR", str(tmp_path))
    return monkeypatch


def urls() -> tuple[str, str, str]:
    found = whereabouts.find()
    return found.database_url, found.redis_url, found.mongo_url


def test_the_environment_names_them(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, url in URLS.items():
        surroundings.setenv(name, url)
    assert urls() == tuple(URLS.values())
    assert whereabouts.find().data_dir == tmp_path


def test_else_the_stack_that_runs_beside(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(STACK | {"pid": 12}))
    assert urls() == tuple(STACK.values())


def test_the_environment_overrules_the_stack_one_by_one(
    surroundings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(STACK))
    surroundings.setenv("REDIS_URL", URLS["REDIS_URL"])
    assert urls() == (STACK["database_url"], URLS["REDIS_URL"], STACK["mongo_url"])


def test_a_url_with_a_password_may_stand_in_a_file(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(STACK))
    (tmp_path / "url").write_text("postgres://relay:secret@db/relay\n")
    surroundings.setenv("DATABASE_URL_FILE", str(tmp_path / "url"))
    assert urls()[0] == "postgres://relay:secret@db/relay"


def test_the_data_directory_is_absolute(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "stack.json").write_text(json.dumps(STACK))
    surroundings.chdir(tmp_path)
    surroundings.setenv("RELAY_DATA_DIR", "here")
    assert whereabouts.find().data_dir == tmp_path / "here"


def test_without_either_the_missing_variables_are_named(surroundings: pytest.MonkeyPatch) -> None:
    surroundings.setenv("REDIS_URL", URLS["REDIS_URL"])
    with pytest.raises(WrongSetting, match=r"DATABASE_URL and MONGO_URL must be set.*make run"):
        whereabouts.find()


@pytest.mark.parametrize("content", ["", "{", '{"redis_url": "redis://stack/"', "{}", '{"redis_url": 1}'])
def test_a_stack_file_that_says_nothing_is_as_good_as_none(
    surroundings: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    (tmp_path / "stack.json").write_text(content)
    with pytest.raises(WrongSetting, match="DATABASE_URL and REDIS_URL and MONGO_URL must be set"):
        whereabouts.find()


def test_a_data_directory_that_is_a_file_is_named(surroundings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    surroundings.setenv("RELAY_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(WrongSetting, match="RELAY_DATA_DIR must be a directory"):
        whereabouts.find()
