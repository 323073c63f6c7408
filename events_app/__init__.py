"""TELLS: what Relay itself has to say, on a channel that is subscribed to like any other.

Purpose
    Whoever owns an endpoint, or answers for a subscription, wants to hear that it fails where he hears
    everything else: by pull, by webhook, live. So that is a message on the channel `relay/events`.

What is told
    ==============================  ================================================================
    `endpoint.failing`              it does nothing but fail: after 10 minutes, one, three and four days
    `endpoint.recovered`            it has taken something again, after that was told
    `endpoint.disabled`             Relay sends nothing to it any more: it failed for five days, or is gone
    `subscription.dead-letters`     a message has died, and none was dead before
    ==============================  ================================================================

    Each is a JSON object: `type`, `time`, `subject` (below `/api/v1/`), and `data`. No body of a message and
    no secret is in it, and of an endpoint its name and no URL.

How
    ::

        whoever sees it ──► `noting`: a row in `events`,  ──► beat's tick: `telling` ──► the door ──► stream
                            in the transaction of that

    The row stands if, and only if, what it tells of does; whatever dies, it is told. It has a key, by which
    it is noted once; and the key is the message's `id`, so publishing again what was published is no second
    message. The row goes once the message is stored: what is only appended a Redis may lose, and an edge is
    told only once.

No storm
    What is told are edges, and no attempts: an endpoint begins to fail, or a subscription begins to have dead
    letters. So what fails is told a handful of times, however many messages that are, also where the one that
    fails is sent `relay/events` itself: what is told of it does not make it begin once more.

Deliberately absent
    What a person does: he knows, and the audit log has it. The channel, until somebody subscribes to it or
    there is something to tell (`channel`).

=============  =================================================================
`models`       what waits to be told, in PostgreSQL
`noting`       putting it there, in the transaction of somebody else
`channel`      the channel
`telling`      publishing what waits
`teller`       how: in order, each once, until it is stored. Other apps tell by it too
=============  =================================================================
"""
