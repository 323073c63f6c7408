"""RECEIVE: alerts that senders repeat while they fire, as Prometheus does, and what is told of them.

=============  ===========================================================================
`models`       what is known of each alert, and what is still to be told, in PostgreSQL
`posting`      what senders say is taken: one statement for all that goes on as it did
`ending`       what nobody has said any more is over
`telling`      what has changed becomes messages of the channel, each once
`appending`    that is appended, and waits until it is stored
`channel`      that channel
`keeping`      the two of them, again and again, in each process that takes alerts
`showing`      what fires now, and what holds it back, for whoever asks
=============  ===========================================================================

Why a table
    A thousand alerts that fire are 1.44 million posts a day, which change nothing but an end. These are rows,
    and an UPDATE for each request. The channel has what begins and what ends, so that rules, which are
    functions of the log, see all that they need.

What is decided
    stands in `relaycore.receiving`, which has the promise. Here is the order of the writes, which keeps it;
    `tests/simulation/receiving` plays both, and what comes of another order.

Told once
    ::

        rows held ──► time ──► late? ──► states and messages ──► COMMIT ──► answer
                                                  │
                lock of whoever tells ──► append ──► stored ──► delete ──► COMMIT

    The time is taken when all rows of a request are held, and a request that has waited for long is refused
    then: else what somebody else has ended and told meanwhile would fire once more. A change of a row and the
    message that says so are written in one transaction: the message waits in a table (`Transition`), with an
    identity of its own. Whoever tells holds a lock, appends what waits, in order, and deletes it once it is
    stored: what is only appended a Redis may lose, and the row says that it was told. If he dies in between,
    it is appended once more under the same identity, and stored once. If he freezes, PostgreSQL ends his
    transaction after some seconds, and whoever comes next appends the same; what he appends when he wakes is
    there already. A sender is answered once PostgreSQL has it, so nothing is lost while Redis or MongoDB is
    away; it comes later.

    The order of what is said of one alert is that of the locks on its row, so a message that it ended never
    stands before the one that it began.

What has ended
    An alert is over at its end, which each repetition moves on. Whoever hears nobody must not take that for
    silence: so a process says so only after it has heard for `RELAY_ALERTMANAGER_GRACE_SECONDS` without a
    pause, PostgreSQL included. One that was down for an hour says nothing of what has ended meanwhile before
    senders had their time to repeat it. It needs no lease: the row's lock decides who does it. The moment by
    which something is over is taken before it is asked whether the process has heard up to now, so one that
    freezes behind that ends nothing of what nobody could repeat meanwhile.

What is not promised
    A request of one sender may be taken up to ten seconds after it came. If the sender has meanwhile told
    another process that an alert ended, that alert fires once more, until the end is repeated.

Clocks
    What has ended, PostgreSQL's clock decides. Ends that senders leave open are counted from the clock of the
    process that takes them, which should be right within seconds.
"""
