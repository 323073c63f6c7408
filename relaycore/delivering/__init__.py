"""Handing out: how far a subscription has come, and what becomes of each message on its way.

A subscription is a named reader of one channel. It has a **cursor**, the position below which everything is
done for this reader, and **deliveries**: a row for each message below the cursor that is not done. Everything
here is decided without a clock, a server or a thread; whoever keeps the rows (`subscribers_app`) locks them,
asks what is to become of them, writes that, and answers once it is committed.

The promise
    Every message that is stored above the start of a subscription, and that its filter takes, is handed out
    until it is done, or stands on record as undelivered, with the reason. Nothing is skipped by a crash of
    anybody at any instant. A message may be handed out more than once: after a deadline, after a fault, after
    a seek. It has the same id each time. How long a record stays is decided by `forgetting`.

Two modes
    ``cursor``: one reader at a time. `fetch` gives what is above the cursor, and gives it again until
    `commit` has moved the cursor (`cursor`). There are no deliveries.

    ``lease``: many workers share the subscription. `fetch` leases messages, each to one worker until its
    deadline; the worker says `ack`, `nack` or `extend` (`leasing`). Leasing a new message moves the cursor
    above it and makes its row, in one step. Done deletes the row.

A delivery
    ===========  ==========================  =====================================================
    from         by                          becomes
    ===========  ==========================  =====================================================
    (new)        lease                       leased, attempt 1
    leased       ack, of this attempt        done: no row
    leased       nack, of this attempt       waiting, for as long as was said, or else 1 s doubling;
                                             dead after the most deliveries
    leased       extend, of this attempt     leased, with a later deadline
    leased       its deadline passes         as nack, without anybody who does it: it is due again
    waiting      its time comes, lease       leased, one attempt more
    any of them  its message is gone         expired, on record
    dead         redrive                     waiting, its attempts counted anew
    dead         ack, of the last attempt,   done: no row
                 if its deadline has passed
    any of them  skip, drop                  no row, on record
    ===========  ==========================  =====================================================

    No timer ends a lease: a row says from when on it may be leased again, and the next `fetch` looks. So
    nothing has to run for it, and a deadline cannot be missed. An ack names its attempt and holds until
    somebody else has leased the message, however late it is: the work was done. So it holds for one that has
    died of its last deadline, too.

Order by a field
    Of each value one message at a time is on its way. Those that come meanwhile wait behind it (`holding`):
    they are below the cursor, and all of a value have one row together, which says between which positions
    they stand. So a value whose message fails is *parked*, and the others flow. Nobody is told of what waits:
    the next `fetch` reads the channel again, from where that row says, and leases what comes next.

Rules without which something is lost or done twice
    1.  Below the cursor everything is done, has a row, or waits by the row of its key. So rows are made in
        the step that moves the cursor.
    2.  A subscription has a generation, and no other one ever has the same, under whatever name
        (`cursor.first_generation`). Seek raises it and deletes what is on its way. Tokens and commits
        carry it, so none from before a seek undoes it. What was on its way and is not come by again is on
        record (`seeking`). Above the cursor no row is on its way: what comes as new is not redriven.
    3.  A commit goes forward, and not past what was fetched: what nobody was given is not done. What a client
        says with a `fetch` holds before it is fetched, or nothing is: a fetch cannot commit what it brings.
    4.  A token names its attempt: of two who had the same message, the one who has it now decides. So no
        attempt comes twice in a generation, not even after a redrive.
    5.  Nobody is answered before all of it is committed. If that is not known, what was read ahead is let go.
    6.  Rows on their way are bounded (`Settings.most_outstanding`). At the bound nothing new is leased.
    7.  Order `channel`: nothing is leased while a row is on its way, but the lowest row itself.
    8.  A message that retention has deleted before it was handed out is on record (`skipping`). What is
        missing of what was read is looked for there after it was read (`reading`).
    9.  What a subscription is set to has a revision. What was read ahead is handed out only under the one
        by which it was chosen. In mode `cursor` another filter is a seek to where the cursor stands. What
        has a row stays; a seek back comes by what the filter takes by then.
    10. By a field nothing new is leased while something of its key is on its way or waits. Of what is on its
        way the lowest of a key comes again, and what waits is leased once nothing is.
    11. What was read again counts only if nobody has gone on with the key since, and only as far as it was
        read. What is missing there is looked for after it was read, and is on record.
    12. A key of which something waits counts as on its way (rule 6) while nothing else of it is.
    13. Seek deletes what waits, and puts on record what of it is not come by again. A dead letter that waits
        to come as new is not redriven.
    14. What waits was chosen by what the subscription was set to when the cursor passed it, in this
        generation. That is kept for as long as something waits by it.
    15. Times are PostgreSQL's alone, in milliseconds. Its clock may fall back: what is due later than its
        longest possible delay is due.
"""
