"""Servers that many watch, and how clients come to each: Relay, and the peers of (j)."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks.crowd import Step
from benchmarks.load import Shape
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.web import Web, node_web, peer_web, relay_web

SHAPE: Final = Shape("live-", 1)
"""What Relay has to listen to."""

_OF_PEERS: Final = Shape("peers-live-", 1)
_EARLIEST: Final = "earliest"


@dataclass(frozen=True, slots=True)
class Server:
    """One of them.

    shape: of what is published for those who watch it. Relay stores what others are sent no sooner than they
           are sent it, so each has channels of its own
    serve: starts it, for those who watch this channel; None: something that it needs is not installed
    steps: of a client with this token who watches this channel. Whether he wants all that is stored as well:
           then he is taken for one who is there as soon as he is let in
    """

    name: str
    shape: Shape
    serve: Callable[[Relay, Results, str], AbstractContextManager[Web | None]]
    steps: Callable[[str, str, bool], Sequence[Step]]


def _relay(relay: Relay, _: Results, __: str) -> AbstractContextManager[Web | None]:
    return relay_web(relay, RELAY_LIVE_CONNECTIONS_PER_TOKEN="10000")  # noqa: S106


def _node(name: str, script: str) -> Server:
    steps = _sse_of_peer if script == "sse.mjs" else _socketio_of_peer
    return Server(name, _OF_PEERS, partial(_serve_node, name, script), steps)


def _serve_node(
    name: str, script: str, relay: Relay, results: Results, channel: str
) -> AbstractContextManager[Web | None]:
    return node_web(relay, results, name, script, CHANNEL=channel)


def _serve_starlette(relay: Relay, results: Results, channel: str) -> AbstractContextManager[Web | None]:
    return peer_web(relay, results, "Starlette, SSE", "starlette_sse", ("starlette",), CHANNEL=channel)


def _serve_socketio(relay: Relay, results: Results, channel: str) -> AbstractContextManager[Web | None]:
    return peer_web(relay, results, "python-socketio", "socketio_emit", ("socketio",), CHANNEL=channel)


def sse(token: str, channel: str, is_behind: bool) -> Sequence[Step]:
    """By which a client of Relay's comes."""
    path = f"/api/v1/channels/{channel}/live"
    if is_behind:
        return (Step(_get(f"{path}?since={_EARLIEST}", token), b"\r\n\r\n"),)
    return (Step(_get(path, token), b"caught-up"),)


def _sse_of_peer(token: str, _: str, is_behind: bool) -> Sequence[Step]:
    return (Step(_get("/", token, *(["Last-Event-ID: 0"] if is_behind else [])), b": hello"),)


def _socketio(token: str, channel: str, is_behind: bool) -> Sequence[Step]:
    after = {"after": _EARLIEST} if is_behind else {}
    auth = {"token": token, "join": [{"channel": channel, **after}]}
    return socketio_steps(auth, b'40{"sid"' if is_behind else b'"caught-up"')


def _socketio_of_peer(token: str, _: str, __: bool) -> Sequence[Step]:
    return socketio_steps({"token": token}, b'40{"sid"')


def socketio_steps(auth: object, until: bytes) -> Sequence[Step]:
    """By which a client comes that says this in its handshake, and is there once it is told that."""
    upgrade = _get(
        "/socket.io/?EIO=4&transport=websocket",
        "",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    return Step(upgrade, b'0{"sid"'), Step(_frame(f"40{json.dumps(auth)}".encode()), until)


def _get(path: str, token: str, *headers: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    if token:
        lines += [f"Authorization: Bearer {token}", "Accept: text/event-stream"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()


def _frame(text: bytes) -> bytes:
    """As a client sends it: masked, here with zeros."""
    size = len(text)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


NODE: Final = _node("Node.js http, SSE", "sse.mjs")
STARLETTE: Final = Server("Starlette, SSE", _OF_PEERS, _serve_starlette, _sse_of_peer)
SSE: Final = Server("Relay, SSE", SHAPE, _relay, sse)
NODE_SOCKETIO: Final = _node("npm socket.io", "socketio.mjs")
PYTHON_SOCKETIO: Final = Server("python-socketio", _OF_PEERS, _serve_socketio, _socketio_of_peer)
SOCKETIO: Final = Server("Relay, Socket.IO", SHAPE, _relay, _socketio)
