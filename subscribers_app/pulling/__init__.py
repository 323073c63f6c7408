"""PULL: fetch, commit, ack, nack and extend, as a client calls them once per message.

Who does what, in one web process
    ::

        hot endpoints ──► `desk`: one for each subscription that is asked for, in the event loop
                            │  ├─► `ahead`: what comes above its cursor, read by the process's one follower
                            │  └─► `clerk`: a thread with one connection; what is asked meanwhile shares one
                            │               round. It asks `relaycore.delivering` of rows, and writes them:
                            │               locked, or as it has left them, if they still stand so
                            └──► waits: for a page of the follower, until something is due, for 20 s at most

The row is the truth
    A desk remembers where the cursor stood, and reads ahead from there. That is worth nothing until the clerk
    has locked the row, or has written it where it still stood as the clerk has left it: if it stands
    elsewhere (another process, a seek), what was read ahead is let go, or cut.

Going on
    `fetch` may carry what is done of what was fetched before: a commit, or acks and nacks (`saying`). That
    holds first, and costs no request, transaction or fsync of its own. Where it is refused, nothing is
    fetched. Where the fetch has to wait for others, or MongoDB does not answer, it holds all the same.

Durable
    A transaction that only says how far something was fetched is as durable as any other. Without that a
    PostgreSQL that has crashed would refuse commits of what it has answered itself. Whoever lets the next
    fetch carry the commit pays for one.

Waiting
    Who waits holds an `asyncio.Future`, and nothing else. He is woken by a page of the follower, by a
    neighbour who has given something back, and by one look a second for all who wait in the process
    (`desks`): whether a cursor was moved elsewhere, and whether something is due.

Room
    What is handed out takes up room (`room`), as JSON and at most so many bytes, before it is leased and
    before a cursor's `fetched` moves; it gives it back once it was sent, or the client is cut off since he
    does not read it (`relaybase.http.connections`). All answers of the process that are on their way have
    RELAY_FETCH_MEMORY_BYTES; those that Django gives have as many of their own. A page takes half of what is
    free at most: where little is, pages become small, down to one message. What has no room is not on the
    page: it is not leased, and no cursor moves past it. Is there none for one message, the fetch waits within
    its `wait_seconds`, looks twice a second, and is 503 then, with nothing leased. One message alone always
    has room, whatever its size. What a fetch says holds before, whatever room there is.

    Which messages are leased only the transaction says: what is due again and what waited is read first, and
    in an order by a field what is passed and waits needs no room. So nothing is written for what has none:
    the transaction says which ones they are, and the next one leases as many as there was room for (`again`).

Memory
    What was read ahead is kept for who asks next, for 30 s. All of it that nobody asks for just now has a
    bound (`resting`): what has rested longest is let go, and is read once more if it is asked for.

Failure
    *PostgreSQL away*: 503; what was asked is not done, or it is not known: what was read ahead is let go,
    and a lease that was committed without an answer comes back by its deadline. *Redis or MongoDB away*:
    503, and no cursor moves. *The process is killed*: in mode `cursor` nothing had moved; in mode `lease`
    what it was about to answer comes back by its deadline. *The client goes away while it waits*: it is
    noticed, and nothing is leased for it.

Order of locks
    Subscriptions in the order of their ids, then deliveries in the order of positions. Everybody who changes
    a cursor or a delivery locks the subscription's row first, so seek, drop and skip too.
"""
