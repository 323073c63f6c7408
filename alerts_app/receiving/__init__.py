"""RECEIVE: alerts that senders repeat while they fire, as Prometheus does, and what is told of them.

=============  ===========================================================================
`models`       what is known of each alert, and what is still to be told, in PostgreSQL
`posting`      what senders say is taken: one statement for all that goes on as it did
`ending`       what nobody has said any more is over
`telling`      what has changed becomes messages of the channel, each once
`keeping`      the two of them, again and again, in each process that takes alerts
`showing`      what fires now, and what holds it back, for whoever asks
=============  ===========================================================================

Why a table
    A thousand alerts that fire are 1.44 million posts a day, which change nothing but an end. These are rows,
    and an UPDATE for each request. The channel has what begins and what ends, so that rules, which are
    functions of the log, see all that they need.

Told once
    A change of a row and the message that says so are written in one transaction: the message waits in a
    table (`Transition`), with an identity of its own. Whoever tells holds a lock, appends what waits, in
    order, and deletes it then. If he dies in between, it is appended once more under the same identity, and
    stored once. If he freezes, PostgreSQL ends his transaction after some seconds, and whoever comes next
    appends the same; what he appends when he wakes is there already. A sender is answered once PostgreSQL has
    it, so nothing is lost while Redis is away; it comes later.

    The order of what is said of one alert is that of the locks on its row, so a message that it ended never
    stands before the one that it began.

What has ended
    An alert is over at its end, which each repetition moves on. Whoever hears nobody must not take that for
    silence: so a process says so only after it has heard for `RELAY_ALERTMANAGER_GRACE_SECONDS` without a
    pause, PostgreSQL included. One that was down for an hour says nothing of what has ended meanwhile before
    senders had their time to repeat it. It needs no lease: the row's lock decides who does it.

Clocks
    What has ended, PostgreSQL's clock decides. Ends that senders leave open are counted from the clock of the
    process that takes them, which should be right within seconds.
"""
