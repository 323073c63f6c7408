"""HEAR: the listener of one partition.

Purpose
    One listener hears every channel of its partition on ONE Pub/Sub connection and
    appends what it hears to the partition's stream. From there on a message is durable.

Deliberately absent
    Clients that reconnect by themselves (they hide that something was not heard),
    one connection for each channel, one append for each message, and any decision
    about what is stored: the writer reads the stream, not the listener.

Who does what
    ::

        main loop (`listener`)        data wire ──► capture ──► appender ──► command wire
                                          ▲                         │
                                       ticks ◄──────────────────────┘
        thread `heartbeat`            renews the lease         (leases_app.heartbeat)
        thread `roster`               the channel table: what is wanted, what is ACTIVE

    The main loop owns both connections to Redis and never waits for anything but
    them: no PostgreSQL, no sleep while something is to be read. The two threads own
    one connection to PostgreSQL each. They meet in two queues (`roster.Roster`) and
    one pipe that wakes the main loop.

From subscription to ACTIVE
    A channel is ACTIVE when Redis has confirmed the subscription AND a tick that came
    after it was heard: then the whole path works. The roster writes it to the table
    under the condition that the lease still has this epoch. A listener that has heard
    no tick for `DEAF_SECONDS` says that its channels are INACTIVE.

Appending
    One append is under way at a time, so the stream has the order in which the channel
    was heard, whatever fails. What is heard meanwhile waits and goes out together: an
    idle listener appends at once, a busy one in batches, without a timer for it. Under
    load the loop rests a few milliseconds before it reads again (`_PATIENCE_SECONDS`),
    which makes batches larger and the whole cheaper.

    A reply that never came (connection cut) leaves open whether the entry stands. It is
    sent again under a new `source`; the writer stores its messages once, as their ids
    are the same. Redis refuses (out of memory) or is away: the entry stays first in
    line, in bounded memory, and is tried again with back-off. When the memory is full
    the newest messages are given up, counted, and reported in the lease's `given_up`.

Hearing
    The data connection ends: a new one is made with back-off and everything is
    subscribed anew. What was published meanwhile is lost to this listener. Half-open
    connections show by ticks: Redis has confirmed on the command connection that a tick
    was published, and the data connection did not bring it within `DEAF_SECONDS`. When
    Redis itself stalls, neither comes, and nothing is torn down.

Leadership
    The lease of the partition is claimed before anything is heard. The leader publishes
    a tick every `RELAY_LISTENER_TICK_SECONDS`, numbered by Redis. A tick of a higher
    epoch, or a lost lease, ends the term: what was heard so far is still appended
    (captured data is never fenced), then the loop ends. PostgreSQL away: the term goes
    on unconfirmed, hearing and appending are not touched.

Stopping
    SIGTERM: a last read, everything is appended (at most `_DRAIN_SECONDS`), the lease is
    released. A new listener is proposed at once, not at beat's next turn.

Room for standbys
    A standby is a listener whose capture is held instead of appended, until a tick's
    `confirmed` says that the leader has appended everything up to there. Everything
    that it needs is in the ticks already.
"""
