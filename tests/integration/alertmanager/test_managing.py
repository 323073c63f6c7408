"""`/-/healthy` and `/-/ready`, as those ask who start and watch an Alertmanager."""

from collections.abc import Callable
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from compat_app.alertmanager import managing

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY = "127.0.0.1:1"
TEXT = "text/plain; charset=utf-8"


def ask(url: str, page: str, method: str = "GET") -> tuple[int, str, bytes]:
    """Status, type and answer."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.request(method, f"/alertmanager/-/{page}")
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers["Content-Type"], content


@pytest.mark.parametrize("mode", ["open", "token"])
def test_nobody_needs_a_token_to_see_that_it_works(
    serve: Callable[..., str], relay_keys: object, mode: str, wait_until: Callable[..., None]
) -> None:
    url = serve(RELAY_ALERTMANAGER=mode)
    wait_until(lambda: ask(url, "ready")[0] == 200, what="it has looked at what is to be told")

    for page in ("healthy", "ready"):
        assert ask(url, page) == (200, TEXT, b"OK")
        assert ask(url, page, "HEAD") == (200, TEXT, b"")
        assert ask(url, page, "POST")[:2] == (405, TEXT)
    assert ask(url, "reload", "POST")[0] == 404


@pytest.mark.parametrize(
    ("away", "why"),
    [
        ({"DATABASE_URL": f"postgres://relay:hidden@{NOBODY}/relay"}, managing.NO_POSTGRESQL),
        ({"PGOPTIONS": "-c default_transaction_read_only=on"}, managing.READ_ONLY),
        ({"REDIS_URL": f"redis://:hidden@{NOBODY}/0"}, managing.NO_REDIS),
    ],
)
def test_it_is_not_ready_where_a_server_is_away(
    serve: Callable[..., str], away: dict[str, str], why: str
) -> None:
    url = serve(RELAY_ALERTMANAGER="open", RELAY_WEB_REQUESTS_PER_MINUTE="0", **away)

    assert ask(url, "healthy") == (200, TEXT, b"OK")
    assert ask(url, "ready") == (503, TEXT, why.encode())


def test_without_the_door_there_is_nothing(serve: Callable[..., str]) -> None:
    assert ask(serve(), "healthy")[0] == 404
