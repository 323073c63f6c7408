"""What is answered without Django, and what is Django's."""

from typing import Any

import pytest

from tests.unit.relaybase.http.hot.conftest import KEY, World


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"method": "HEAD"},
        {"path": "/api/v1/things/a/"},
        {"path": "/api/v1/things/ü"},
        {"authorization": f"bearer {KEY}"},
        {"authorization": f"Token {KEY}"},
        {"accept": None},
        {"accept": "application/json"},
        {"accept": "application/json, text/plain, */*"},
        {"accept": "text/html;q=0.9, application/json"},
        {"query": "x=1"},
        {"host": "127.0.0.1:8000"},
        {"content_length": "0"},
        {"scope": {"path": "/below/api/v1/things/a", "root_path": "/below"}},
    ],
)
def test_a_program_with_a_token_is_answered_here(ask: World, asked: dict[str, Any]) -> None:
    answered = ask(**asked)

    assert not answered.by_django
    assert answered.status == 200


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "OPTIONS"},
        {"method": "DELETE"},
        {"method": "get"},
        {"path": "/api/v1/things"},
        {"path": "/api/v1/things/a/b"},
        {"path": "/api/v1/things/a//"},
        {"path": "/x/api/v1/things/a"},
        {"path": "//api/v1/things/a"},
        {"authorization": None},
        {"authorization": "Basic YTpi"},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {KEY} more"},
        {"authorization": f"Bearer {KEY}é"},
        {"authorization": f"Bearer {KEY}", "more": [("authorization", f"Bearer {KEY}")]},
        {"cookie": "sessionid=1"},
        {"accept": "text/html"},
        {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
        {"accept": "application/json; indent=4"},
        {"accept": "application/xml"},
        {"accept": "text/plain"},
        {"accept": ", ".join(["a/b"] * 400)},
        {"query": "format=json"},
        {"query": "form%61t=json"},
        {"query": "x=é"},
        {"query": "&".join(["x=1"] * 200)},
        {"host": "elsewhere.example"},
        {"host": None},
        {"host": "a b"},
        {"content_length": "1"},
        {"transfer_encoding": "chunked"},
        {"scope": {"type": "websocket"}},
        {"scope": {"type": "lifespan"}},
    ],
)
def test_everything_else_is_djangos(ask: World, asked: dict[str, Any]) -> None:
    assert ask(**asked).by_django
    assert not ask.counted
    assert not ask.read
