"""PUBLISH: what comes by HTTP, put on the stream of its partition.

Purpose
    The second door beside Redis Pub/Sub: a program that publishes here is told that its messages are safe.
    From then on they are what every other message is: an entry on the stream, for the writer to store.

What a 202 promises
    The messages stand on the stream, so they are as durable as what a listener has appended: stored once,
    whatever process dies next. A Redis whose machine is lost forgets up to a second of it, if its append-only
    file is written each second. What is answered with an error was refused whole; where the answer of Redis
    was lost, the error says that it may have been appended.

Identity
    A message has its key (`relaycore.identity`) before it is appended for the first time, also one whose
    publisher gave it none: that one gets it by chance, once for its request. So appending again is no
    second message. Under the policies `content` and `field` the policy alone decides.

Who does what
    ::

        request ──► `door`: room, channel ──► `taking`: body to documents, large ones in a thread
                                                 │
                        relaycore.publishing.queue, one for each partition
                                                 │ one append under way
                    `appending` ──► `line`: one connection of this event loop ──► Redis
                    `looking`: memory and audience, twice a second while something is published

    All of it lives in one event loop, that of the web process, and needs no lock. Django's views call it
    from their threads through `relaybase.http.hot.bridge`, which has an event loop in a thread of its own.

Sharing
    What arrives while an append is under way goes into the next one; there is no timer
    (`relaycore.publishing.queue`). Each event loop has one connection to Redis for all partitions.
    What is larger than an entry is appended alone, as several of them in one step: all stand, or none.

Echoes
    Where a channel is listened to, and its row does not say otherwise, what is published goes out as PUBLISH
    too, for Redis' own subscribers: in the step that appends, and so that listeners do not store it a second
    time (`relaybase.redis.appending`). What is appended again goes out again. The stream is the promise; what
    goes out is Pub/Sub, and may be lost.

Bounds
    A request takes up room for its body before that is read, or as it comes, and for what it becomes on the
    stream, and gives it back when it is answered (`RELAY_PUBLISH_MEMORY_BYTES`). Without room the answer is
    503 at once. One large body at a time is taken apart; small ones are not worth a thread.

Failure
    =====================================  ======================================================
    the connection ends                    dialled anew at once, and what was under way is sent
                                           again, before anything else
    Redis cannot be reached, stands still  503 for all that waits
    it refuses: full, a replica, a right   503 with the reason, at once
    80 % of `maxmemory` are used           503: publishers must not fill Redis until listeners
                                           have to give up what they hear
    another layout stands beside the       503; what everything is divided into is looked up again
    stream, or it is being moved           with the next request
    PostgreSQL is away                     channels and tokens that are remembered go on for 30 s
    no replica confirms what was to be on  503, though it stands, and is what everything else is
    one as well
    Redis has lost what somebody waits     503, once the watermark has passed it: it is neither stored
    for                                    nor in quarantine (`relaycore.publishing.standing`)
    the process is killed                  whoever has got no answer sends it again, with its keys
    =====================================  ======================================================

    No answer is 202 unless the entry's id has come back from Redis.

Deliberately absent
    Decisions about what is a message and what is appended when: `relaycore.publishing`. Waiting until
    something is stored: that is reading (`messages_app.searching.arriving`).
"""
