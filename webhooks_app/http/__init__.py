"""HTTP/1.1 as webhooks need it: one request after another on kept connections, to whom may be asked.

Purpose
    A sender has thousands of endpoints and tens of thousands of requests a second on one core, and each
    endpoint may be slow, broken or hostile. Libraries for everybody take five to ten times the CPU for it, a
    task and a timer for each request, and connect to whatever a name leads to. What is here does one thing:
    `Client.send` writes a request and calls back once, with a `relaycore.sending.answers.Answer`.

    =============  =================================================================
    `client`       requests go in, and each is answered once; deadlines
    `target`       where requests go, and what is the same in all of them
    `pool`         the connections of one target, and what waits for them
    `connection`   one connection: one request after another
    `writing`      requests of one turn of the event loop, together
    `reading`      what comes on it, as answers; no socket
    `exchange`     one request, how far it has come, and what all of one client share
    `opening`      how a connection is made
    `resolving`    from names to addresses
    `room`         how many connections all targets have together
    `sealing`      TLS between socket and connection
    `tls`          whom an endpoint has to be trusted by, and as whom Relay comes
    `failures`     what it means that a connection could not be made, or has ended
    `once`         one request from where there is no event loop
    =============  =================================================================

Deliberately absent
    Redirects: they are answers, and no 2xx. Proxies, also those of the environment: the address that was
    looked at is the one that is connected to. Cookies, caches, compression, HTTP/2, pipelining. Retries, but
    for one: see below.

Who does what, in one event loop
    ::

        Client.send ──► Pool, one for each `Target` ──► Connection, up to `max_connections` ──► `Reading`: the
           │              │  no free one: `opening`: name ► addresses ► which may be ► connect, TLS     parser
           │              └─ none may be opened: they wait in order
           └─ `_scan`, ten times a second: what is past its deadline; each second: what was idle for too long

    What is begun in a turn of the event loop is written at its end (`writing`). Nothing was sent until then:
    what comes meanwhile is no answer, and a connection that ends gives its request to another one.

    `done` is called by `Pool.end` alone, which takes the exchange out of those under way first: so it is
    called once, whatever ends an exchange. Nothing calls back from within `send`. A task is made for a
    connection that is opened, none for a request.

What an answer is
    The status of the final response, from when its head is complete. 1xx are passed over, but for 101, which
    nobody has asked for: it is final, and no success. The body is read so that the connection can be kept,
    within a bound and the deadline; of whatever cannot be read as it should (too long, cut, wrongly chunked,
    too slow) the status holds all the same, and the connection goes. So it does if more comes than was asked
    for, or the answer comes before the request was taken.

Sent once more
    A server may close a kept connection at the moment in which a request is on its way there. If a connection
    that has carried an answer before ends before a byte of the next one, or brings a 408, which is how some
    say so, the request is sent once more, on a new connection, under the same deadline. The server may have
    seen it: webhooks are delivered at least once anyway, under one id.

Whose addresses
    A name is resolved when a connection is opened, at most `resolving.KEPT_SECONDS` before; each address is
    looked at (`relaycore.outbound.addresses`), and the connection is made to one that was, as a number.
    Nobody asks a resolver again, so a name that leads elsewhere a moment later changes nothing. Kept
    connections are looked at again when other networks are allowed, and made anew after
    `connection.LIFE_SECONDS`.

Deadlines
    One for each request: from `send` to the end of the answer's body, connecting and waiting included. In an
    event loop that was held up nothing is past its deadline before what has come meanwhile was read.

Failure
    *The endpoint is anything*: an `Answer`, within its time and in bounded memory, and nobody else waits. A
    name server that does not answer takes a thread, and holds up nobody else's names (`resolving`). *No
    sockets are left, the client is closed, or it may not send* (`may_send`, asked before each request is
    written): `Failure.OURS`.
    *The process dies*: what was under way may have arrived.

Bounds
    `reading.MOST_HEAD` and `MOST_BYTES` for each answer, `sealing.MOST_BESIDE` for what TLS says beside it;
    connections for each target, and for all of them together (`room`), so that files are left for servers; a
    connection that was idle for `client.IDLE_SECONDS` is closed.
"""
