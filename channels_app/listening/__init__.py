"""HEAR: the listeners of one partition.

Purpose
    Each listener hears every channel of its partition on ONE Pub/Sub connection. One of
    them leads: it appends what it hears to the partition's stream. From there on a
    message is durable. The others stand by: they hold what they hear until the leader has
    confirmed it, and append it themselves when the leader is gone.

Deliberately absent
    Clients that reconnect by themselves (they hide that something was not heard),
    one connection for each channel, one append for each message, any decision about what
    is stored (the writer reads the stream, not the listener), and any decision at all:
    those are `relaycore.listening.protocol`'s.

Who does what
    ::

        main loop (`loop`)      `subscription` ──► protocol ──► `appender` ──► `outlet`
                                       data wire        ▲    │                   command wire
                                                        │    └────► `ticker` ────────┘ │
                                                        └──────────────────────────────┘
                                       (`line`: the command wire, and all that uses it)
        beside it, never waiting    `tenure`: the lease of the leadership
                                    `recording.record`: gaps, and what had to be given up
                                    `watching`: whether Redis has become unfit; and `output_buffer`,
                                    a warning before Redis cuts a slow reader off
        thread `heartbeat`          renews the seat; another one the leadership
        thread `roster`             the channel table: what is wanted; what is ACTIVE and the
                                    gaps (`recording`)
        thread `candidacy`          one claim of the leadership
        thread `dial`               makes a connection

    The protocol has one door: what was heard and answered, what the table and the clock
    say go in; effects come out, in order, and the main loop does them. The simulator of the tests
    drives the same class. The main loop owns both connections to Redis and never waits for
    anything but them: no PostgreSQL, no sleep while a leader has something to read. The
    threads own a connection to PostgreSQL each. They meet in queues and one pipe that wakes
    the main loop.

Seats and leadership
    A listener holds a seat of its partition (`RELAY_LISTENERS_PER_PARTITION`), a lease
    that only says that it lives. Beat proposes a task for each seat that is empty. The
    leadership is another lease, and its epoch is a term. Two listeners of one partition
    prefer different hosts.

Ticks
    The leader publishes one each `RELAY_LISTENER_TICK_SECONDS`, numbered by Redis, on the
    partition's internal channel. All listeners hear them on their data connection, among
    the messages, so they agree on what came before a tick and what after it. A tick confirms
    up to where everything is on the stream, or on record as a gap; standbys let go what is
    older. Ticks are sealed with the deployment's secret, and their numbers only grow: one that is
    forged, or published again, is none.

    Five times fewer while nobody needs them: no standby hears them, and nothing was heard that
    is not confirmed. Each tick tells its leader who hears it, so a new standby gets the next
    one in time.

Order of subscribing
    The internal channels first, each by itself. Then Redis is asked for its counter of ticks, the policies
    in force and the number of the last echo: ticks and notices up to there are no news, and every message
    comes after them. Then
    the channels, some hundred in one command; one that Redis refuses is found by halves, named, and
    asked for again. Once each one is answered the connection is covered: whoever hears a tick on it
    hears everything.

Echoes
    What was published by HTTP stands on the stream, and comes in by Redis as well. A sealed notice stands
    directly before it, and says how many messages nobody is to append (`relaycore.capturing`).

Policies begin at a tick
    The leader announces a change with its next tick, in the same step that writes it beside the
    stream for whoever joins later. So all listeners change at one place in the order, and what
    is held keeps the policy under which it was heard. Nothing is announced of `content`; a channel
    that is to have another policy is subscribed only after that was announced.

ACTIVE
    A channel is ACTIVE when Redis has confirmed the subscription, its policy is in force, AND
    a tick that came after both was heard: then the whole path works. The leader's roster writes
    it to the table under the condition that its term lasts. It holds while ticks of the term
    come back; each heartbeat carries how long ago the last one did. A leader that has heard
    none for 1.4 s opens a gap, and closes it when it hears again and has missed nothing.

Taking over
    No tick for five intervals although everything was read: Redis is asked for its
    counter of ticks. If it has gone on, this connection is deaf, and is made anew. If not,
    the lease is claimed at the epoch that was heard, without waiting for it to lapse, for one above
    every epoch that was heard or that Redis knows to have ticked. The winner appends what it holds and
    ticks. PostgreSQL away: the term goes unconfirmed until it is back. A leader that was frozen
    appends late what it has (captured data is never fenced, the writer stores it once), hears the
    higher epoch, and stands by again.

The lease goes back
    PostgreSQL was restored, or a copy that lagged has taken over. Whoever leads finds the term gone at its
    next heartbeat, claims another one above all that ever ticked, and leads on: it has heard
    everything, and appends on meanwhile. What ticks below the highest epoch confirms nothing.

    The lease counts what is written under it (`writes`): each heartbeat, and each transaction that holds the
    term. Ticks carry to Redis how much of that PostgreSQL has acknowledged, never what it has not. Whoever
    begins a term compares: with less in the lease, gaps were forgotten, and what the leader before has
    confirmed is no proof any more. Before it writes anything else it puts on record one gap, from the
    `known_until` of the lease to its own first tick, and takes what is open into it. Then the
    lease counts on from what was acknowledged, so that it is said once.

Whole, and proved
    A standby is whole if it holds everything since the last confirmed tick, on a connection that
    is covered. It then writes the number of each second tick beside the stream, under its own name,
    and each tick brings its leader what stands there. That is the only proof that there is a
    standby: who subscribes the ticks may be anybody.

Handing over
    A leader whose life is over (`RELAY_LISTENER_LIFE_SECONDS`) goes only while a standby has proved
    within the last five ticks that it is whole, everything is appended and on record, and Redis
    takes writes. Else it stays, and tries again.

    It ticks `leaving`. From the first such tick N on it holds what it hears; when everything
    before N is on the stream it ticks `left`, and the standby claims the lease and begins with N.
    So the stream carries each message once, in order. If nobody leads within 4 s it appends what it
    holds and leads on. On SIGTERM it leaves in the same way if anybody hears its ticks, and then ends
    in any case.

    A leader whose data connection ends resigns at once, to whoever may be there: it protects
    nothing. Alone, it leads on, and what it misses is a gap.

Gaps
    A new leader that is whole has missed nothing. Otherwise a gap is recorded: from the last
    confirmed tick (Redis keeps it in a hash) to the new leader's own first one, bounded by
    Redis's counter of PUBLISH, which ticks carry. The same goes for a leader that was deaf
    and alone, for messages that had to be given up, and for single channels that a new leader
    had not yet subscribed. From its first tick on (`first_heard_at`), what a channel misses is in a
    gap: one that was heard before and is not heard when a term begins has one of its own (`statuses`).

    Nothing is confirmed beyond a gap before PostgreSQL has it. A leader that ends earlier takes
    it along, but the next one counts from the last confirmed tick, and finds it again. So what a
    term notes is written in order, while the term is held, and never after it (`ledger`).

    When the number of partitions changes, all of these accounts end at one instant, and begin
    anew from there (`changeover`). A recorded gap names the number of partitions of its time: by
    that and its name it is known for ever whether a channel was in it.

    The lease carries the time of the last confirmed tick as well (`known_until`): up to there a
    range can be called complete, and from there on a gap is opened when nobody proves to hear,
    or when Redis has forgotten what was confirmed. All of these times are by Redis's clock.

Two servers
    A refusal such as READONLY, or another run id, means the wrong server: the connection for
    commands is made anew, and what is held waits. When it leads elsewhere than the data connection,
    a standby drops the latter at once; a leader when a standby has proved itself on the new
    server, or after 2 s, since until then it is the only one that still hears the old one.

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
    messages are given up, counted, and recorded as a gap.

Identity
    Under `every` a message is named by the tick it fell in and its count there. In a tick
    that a connection has not heard from its beginning, a leader gives names that are its
    own; whoever takes over leaves such messages out until its own first tick, since the leader
    before may have appended them under another name, or will when it wakes. So under `every`
    the messages of the very tick in which a channel is subscribed are safe only from its next
    tick on: it is not ACTIVE before.

What it cannot do
    Said in one sentence, with the command and the right that is missing (`trouble`): in the log, in the
    lease, and from there in `/readyz` and the admin. So is a Redis that was made unfit after the start: it is
    asked every 5 s, on the connection for commands. The listener goes on: stopping would lose more.

Stopping
    Without a standby: a last read, everything is appended (at most `_DRAIN_SECONDS`), the
    lease is released. What Redis does not take by then is left to a standby that has proved
    to hold it, or counted as given up. A new listener is proposed at once, not at beat's next turn.
"""
