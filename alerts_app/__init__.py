"""AGGREGATES: rules, each of which turns one channel into another one by a pure function of the log.

===============  ================================================================
`models`         rules, and what people say of alerts, in PostgreSQL; what processors keep, in MongoDB
`registration`   making, changing, enabling and deleting rules: the one place for it
`defaults`       what comes along with `RELAY_ALERTS` and `RELAY_ALERTMANAGER`
`taking/`        what sources post, put on a channel
`receiving/`     alerts that senders repeat: what begins and what ends, put on a channel
`silencing/`     whose notices are held back
`processing/`    processors: what rules say, appended to the channels that they write
`keeping`        what processors keep, as anybody may read it
`owning`         whose a state is that is kept: what a frozen processor adds is nobody's
`faring`         how rules fare, by that
`alerts`         what is open, and what became of what was
`trying`         back-tests of rules, over what is stored
`handling/`      what people do with alerts, and the channel on which that is told
`rights`         who may do what with rules and alerts
`tasks`          the endless task, and who is proposed for it
`api/`           rules and alerts by HTTP; `admin/` shows rules, `management/` has the commands
===============  ================================================================

What a rule makes of what it reads is decided in `relaycore.alerting`. What it tells is on a channel, which is
like any other: who reads that is not this app's concern.
"""
