"""The web server's WebSockets: uvicorn's own, to which whoever sends the same to many gives finished frames.

A frame that a server sends has no mask, and nothing is compressed here. So a message is the same bytes for
every WebSocket, and several are their bytes one after the other. What is sent to thousands is made once, and
what has gathered for one of them takes one call of the operating system (`FRAMES`).

An application that finds `FRAMES` among the scope's extensions may send

    {"type": "websocket.send", FRAMES: bytes}

with whole frames, made by `text_frame`. As any other message it waits while the client does not read. The
extension itself is the `Connection`. It can be broken off, and tells when the server is about to stop.

What a client sends is small here: `MOST_BYTES`. Whether it is there is asked by what is spoken on top of it
(`live.socketio`), so uvicorn's own pings are off.

`relaybase.http.connections` has uvicorn use it.
"""

from relaybase.http.websockets.connection import MOST_BYTES, Connection
from relaybase.http.websockets.frames import FRAMES, text_frame, texts

__all__ = ["FRAMES", "MOST_BYTES", "Connection", "text_frame", "texts"]
