"""What can be said of one connection: what it hears, in order, cut into pieces by ticks.

Echoes: heard once, not twice
    What is published by HTTP on a channel that is listened to is appended by the door, and goes out as
    PUBLISH too, for Redis's own subscribers. Listeners are to relay none of it. Under `every` it would be
    stored twice; under the other policies it would get a place of its own in the order, and cost an append
    for nothing.

    One script appends, publishes a sealed notice on the control channel (`echo NUMBER CHANNEL COUNT`), and
    directly behind it `COUNT` messages (`relaybase.redis.appending`). One node of Redis lets nothing
    between. So the next `COUNT` messages of that channel are left out by whoever hears the notice
    (`echoes`). They are no occurrences under `every`, and not counted as left out: they stand on the
    stream.

Adjacency decides, and nothing else
    Never whether payloads are equal: a genuine PUBLISH of the same text directly behind the run is kept.
    Any other reply ends the run: a tick, a confirmed or refused (un)subscription, a message of another
    channel, whatever comes on an internal channel, a new connection. So of a run that comes short nothing
    is taken from somebody else:

    * Redis refuses one of its messages: the script says something on the control channel instead.
    * The channel is not subscribed here yet: whatever of it comes later comes after the reply to SUBSCRIBE.
      The control channel is subscribed first, so nobody hears echoes without their notice.
    * The connection ends in the middle: the next one begins without a run.

    A run goes on over the end of a read, and over everything that does not come from the connection: a
    channel that is wanted again or no more, another policy in the table, a term that begins or ends. It is
    counted by the channel's name, wanted or not. A message that is too large for a listener is one like any
    other.

Notices are believed once
    Whoever may subscribe the control channel may record a notice and publish it again, directly before what
    somebody else publishes. So its number has to be above all that were heard on this connection, and above
    the floor that is read there before the first SUBSCRIBE of a channel: what was given before. Notices
    that come before that answer count as heard. Numbers are given by Redis, above all before and not below
    its time in microseconds; whoever reads the floor raises the counter to it. So they grow as well if
    Redis has lost its data, or its clock is set back.

Standbys
    A standby holds notices at their places among the messages (`holding`), and they act when they are
    relayed. What is let go is cut at ticks, so what is held begins with a tick or directly behind what was
    relayed last: no run is cut in two. But whether a notice is news is decided when it is heard: of one
    that was let go with what the leader has confirmed nothing would be known later. One that is no news is
    held as a reply without a meaning. When everything that was held is relayed, all that were heard are
    known.

    A standby that holds too much lets it go in the middle of anything, and may hold the rest of a run
    without its notice. It is in a tick of which it has not heard the beginning. So under `every` that is
    left out, and under the other policies it has the `_id` under which it stands already.

Order of subscribing
    The control channel, the channel of ticks, then the channels. Ticks come that early since a listener has
    to know who leads, however long the rest takes; they prove that everything is heard only once everything
    is subscribed (`subscribing`).

What it does not cost
    Notices and echoes are published by Relay itself and missed by nobody. Ticks take them off Redis's count
    of what was published, so they are in no bound of a gap.
"""
