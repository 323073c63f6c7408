"""THE LOG QUEUE: topics, producers, consumers and offsets, as clients of a course exercise speak.

Public clients of it differ. What is answered here is what all of them understand: 200 or 400, always JSON,
parameters from the query and the body alike, an address with and without a slash at its end. With anything
else some of them return nothing, and their loops spin for ever.

What is what
    =============  ==========================================================================
    topic T        the channel `queue/T`: nobody listens to it, policy `every`
    producer       an id that belongs to a topic
    consumer       a subscription of its own, `queue.consumer.ID`: kind pull, mode cursor, from earliest
    offset         a position, as a number
    =============  ==========================================================================

Why a consumer is a subscription
    So whatever there is for one holds for it: it is listed, paused, sought and deleted as others are, what
    retention takes from it is on record, and its channel is not deleted under it. It costs nothing per
    message: what is called once per message goes past the clerk, who locks rows to decide about them. Here
    nothing is to be decided but whether the cursor stands where it was seen, and the row says that itself
    (`moving`): one UPDATE for all consumers that ask at the same time. A table of its own would have
    been asked the same. A filter or a delay that somebody gives to such a subscription is not looked at.

Who does what
    ::

        `application` ──► `asked`: query and body ──► `actions` ──► `registering`: threads, PostgreSQL
                                                         │    └───► the door (`messages_app.publishing`),
                                                         │          then `counting`: one thread
                                                         ▼
          `readers` ──► `reader`, one for each consumer: takes turns ──► `moving`: one thread
                           └─► `subscribers_app.pulling.ahead`: read ahead by the process's follower

consume
    One at a time for each consumer: the turn is taken before anything is asked, so that two requests never
    see the same cursor. The first message that was read ahead is answered once the cursor is committed above
    it. If it stands elsewhere (another process, a seek), what was read is cut, or let go, and all of it is
    done again.

Produce, then consume
    produce is answered once the message stands on the stream, and not once it is stored: that takes the
    writer some milliseconds, and a client that waits for each answer would get fifty a second. So whoever
    would be told that there is nothing (consume), or how much there is (size), waits until the writer has
    stored what stood on the stream when he asked. Only he: as long as there are messages nobody waits. Where
    nothing was appended to the partition since he was told so last, Redis is asked for one number.

Failure
    Everything is 400, and says what it is; but a webhook of Relay's own in a circle is refused with 508.
    *PostgreSQL, Redis, MongoDB away*: what was asked is not done, or it is not known. *The process is
    killed*: a message whose cursor was committed and whose answer was lost is lost to this consumer, and one
    that was appended and not answered is produced twice if it is sent again: at most one for each request
    that was under way. *Redis does not answer*: a message may have been appended; it says so, and is there
    twice if it is sent again. What was appended is answered as done, whatever PostgreSQL does: how many a
    program has produced is brought afterwards (`counting`). *The writer is away*: produce goes on; consume
    and size say after 5 s that not everything is stored yet, and do not claim that there is nothing.

Who may
    `RELAY_LOG_QUEUE`: `off`, nothing of this is there; `open`, anybody; `token`, by grants on the channels:
    publish for topics, producers and produce, consume for consumers.
"""
