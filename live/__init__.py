"""LIVE: what is stored is shown at once, to whoever watches, and after any break nothing is missing.

Purpose
    A client says which channels it wants and what it was given last, and is sent what follows, as it comes:
    as server-sent events, by long poll, by Socket.IO. What it is owed next is decided in `relaycore.live`;
    here that is read, written and sent.

Deliberately absent
    Queues: a client has a place in what all share, and nothing is kept for it. Django: an endpoint of this
    package is an ASGI application before it, since a connection lasts for hours (`relaybase.http.hot` says
    what Django's would cost). Tasks, threads and questions for each connection: a client is the task in which
    its server has called us.

Who does what, in one event loop
    ::

        the process's follower ──pages──► `tails`: one task for each partition puts them into rings, and wakes
                                            │          who watches those channels
        archive ──pages──► `pages`: one read for all who stand at the same place
                                            ▼
        `application` ──► `sse`, `polling`, (Socket.IO) ──► `hub`: one `Viewer` for each client
                                            ▲
        `watch`: one task, each second: rights, slow clients, gaps, another archive

    A viewer asks `relaycore.live.owed` what comes next: something told, some messages, or a page that has to
    be read. It sends, and waits for its own send: that is the whole of the back-pressure. What is sent is
    encoded once for each form, and joined once for all who stand at the same place (`Shown.joined`).

How a viewer comes to the ring
    Its place is a position in each partition. It reads pages of the archive until the ring of each of its
    channels reaches down to where it stands (`relaycore.live.walk`). A herd that comes again after a restart
    stands at the same places, or close together: one read is under way for the same channels, and who finds
    his place in a page that is kept takes that one.

Failure
    *Redis or MongoDB away*: nothing is read, so nobody is sent anything but comments, and everybody stays
    where he is; tried again each second. Who comes new is told to come again: 200, `retry:`, the end, since
    a browser takes any other status for the end of all. *PostgreSQL away*: who is connected stays for as long
    as rights are remembered (30 s), and is then told to come again. *The process is killed*: a client goes on
    from the id that it was given last; one is given with each message, after everything before it was sent.
    *It is stopped*: each client is told after how long to come again, another time for each, and is let go
    before the process ends. *A client reads nothing*: cut (`relaycore.live.slow`), and its connection broken
    off: what it has not taken would hold it open. *Retention passes a client*: it is told from when to when,
    and how many messages at most; the record is asked after each page was read, never before. *The archive is
    another one*: everybody is sent away, and is told so when he comes again.

Concurrency
    One event loop, and everything in it between two awaits is one step. Threads: the follower's, which only
    says that there is something (`call_soon_threadsafe`), those in which the archive is read, and two that
    look at messages for filters that may take long (`wanting`).

Bounds
    Connections for each process and token; bytes that rings and pages hold; channels for each connection.
    All of them are settings (`RELAY_LIVE_*`).
"""
