"""SOCKET.IO: the same channels for pages that speak it, by WebSocket and by polling.

Purpose
    A page joins channels, is sent what is stored in them, and says after any break after which position it
    goes on. What it is owed is the hub's affair, one `Viewer` for each channel of each socket (`live`). Here
    that is written as Socket.IO has it, and taken to the page.

Whose work it is
    Engine.IO's server (python-engineio) has the sessions: handshake, polls, changing over to a WebSocket,
    pings. Packets are read and written by python-socketio. Its server is not used. It has a task and a place
    in a queue without bounds for each message of each socket, which takes seven times the CPU, and a client
    that sends an event named `connect` or `disconnect` has its handlers run.

Who does what, for one socket
    ::

        `application` ──request──► `engine` ──what is said──► `sockets` ──► `socket`: answers, joins, leaves
                                      │ ▲                        each second: who has to go
                           poll, send │ │ a burst
                                      ▼ │
                                   `outbox` ◄──take── `seat`: one channel ──► the hub's viewer

    There is no task and no queue for what is stored. Engine.IO asks the outbox for what is to be sent once
    it has sent what it had, and only then the outbox asks the viewers. So the task that waits for the socket
    is the only one, and a page that does not read holds its places and what one send has in it.

What goes to every socket
    A channel with a `broadcast` is not joined: each socket has one more seat, in all of these at once, whose
    messages are events of that name (`everybody`). For the hub it is a viewer like any other.

Written once
    A server's frames have no mask, and nothing is compressed. So the frames of messages are the same bytes
    for all sockets, and what several messages make is their bytes joined: written once for all who stand at
    the same place (`Shown.joined`), and sent by one call (`relaybase.http.websockets`). For a poll the text
    is taken out of the frames: few pages stay with polling.

Positions
    `join` is answered with one, each message comes with one, and so do `caught-up`, `gap` and `reset`: a page
    remembers the last for each channel, and says it in the handshake when it connects again (`auth.join`).
    They are ids of events (`relaycore.live.ids`). Acknowledgements are not asked for: what a page remembers
    it has had, whatever the server thinks that it has sent.

Who is sent away, and comes again
    socket.io-client comes again by itself after a connection that was lost, and not after a refusal or a
    `disconnect` by the server. So whoever is to come again loses his connection, once he has been told why
    (`closing`): the process stops, the archive is another one, PostgreSQL is away for too long, or a server
    does not answer while he connects. Who has no valid token any more is refused, or disconnected. Who lacks
    a right on one channel leaves that one (`left`). Each client waits 0.5 to 1.5 s by chance, twice as long
    each time: after a restart they come one after another.

Failure
    *A burst is lost on its way*: so is the connection; the page goes on from what it had. *A page reads
    nothing*: its send does not end, and the hub cuts it, its connection broken off. Between two polls nothing
    is being sent on a connection; then its session is ended. *A page asks and reads no answers*: cut at
    `outbox.MOST_SAID`. *It vanishes*: Engine.IO's ping finds it after 45 s. *It says nonsense*: it loses its
    connection, before anything is read into it. *The process is killed*: as with any lost connection.

Bounds
    Sockets as `RELAY_LIVE_CONNECTIONS`; those that have not said who they are, `sockets.STRANGERS`, for ten
    seconds; channels as any connection. What a client sends has 64 KiB, in one frame or one request, and is
    done before the next is read.

Several web processes
    A session of polls lives in one process. Where there are several, a proxy has to bring a client to the
    same one each time, or clients use `transports: ["websocket"]`.
"""
