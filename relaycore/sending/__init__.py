"""Sending: how far a webhook subscription has come, what becomes of each attempt, and who may try.

A webhook subscription is a subscription like any other (`relaycore.delivering`): a cursor, and a row for each
message below it that is not done. What moves the cursor is a *sender*: an endless task that holds the lease
of one *shard* of endpoints. Everything here is decided without a clock, a server or a thread; whoever drives
it (`webhooks_app.sending`) reads, sends, writes, and says what happened.

The promise
    Every message that is stored above the start of a subscription, and that its filter takes, reaches its
    endpoint at least once (2xx), or is a dead letter, or stands on record as undelivered, with the reason.
    Nothing is skipped by a crash or a freeze of anybody at any instant. A repetition has the same id. Of one
    subscription a sender that dies repeats `MOST_UNRECORDED` messages at most. An endpoint that is away, slow
    or hostile harms no other one.

A message on its way
    ==========  =======================================  ====================================================
    from        by                                       becomes
    ==========  =======================================  ====================================================
    (stored)    it was read above the cursor             queued, in the window of its subscription
    queued      the endpoint may be tried                out: attempt 1 is under way; it has no row yet
    out         2xx                                      done: the cursor may pass it
    out         anything else                            failed: the cursor may pass it with its row
    (row)       its time has come, it may be tried       out: its next attempt is under way; the row stays
    out (row)   2xx                                      done: its row goes
    out (row)   anything else                            its row waits by the schedule, or is dead at its end
    ==========  =======================================  ====================================================

    A row says when it is due. That an attempt is under way stands nowhere: a sender that dies leaves rows
    that are due, and a cursor below all it had not recorded. Rows are those of whoever pulls
    (`relaycore.delivering.leasing`): dead letters are redriven and dropped, and messages skipped, as there.

    There are three orders: none, by channel, and by a field: one after another for each value (`keyed`).

    In some formats many messages go in one request (`batches`). Each of them is on its way as above; what
    comes of the request holds for all of them.

Rules without which something is lost, harmed or done without end
    1.  The cursor passes only what is done, or what gets its row in the same step. So it stands below the
        lowest message that is out.
    2.  What is recorded holds only under the epoch of the shard's lease, and only if the cursor, generation
        and revision are those that the window was read by and wrote last. A miss lets the window go, and it
        is read again from where the cursor stands; a miss of the epoch gives up the shard. So a sender that
        was frozen moves nothing, and a seek is undone by nobody.
    3.  If it is not known whether a record was committed, the window is let go as well.
    4.  Nothing is sent but before the instant up to which the lease is confirmed, by a clock that only goes
        on, looked at before each attempt. What is under way then may still arrive: a repetition.
    5.  What is out, done or failed and is not recorded is `MOST_UNRECORDED` messages at most (or one batch).
        At the bound nothing more is sent, also while PostgreSQL is away. What is out at the bound gets its
        row, with no attempt, in the next step: else one endpoint that hangs holds up all that is above.
        Where all of them stand above what another revision wants, that is tried one by one.
    6.  What a window knows to be done it need not send once more in the same generation, also when it has
        to be read anew: another revision, a pause, an answer of PostgreSQL that was lost. What has failed
        keeps its attempt. All else is chosen by the new revision.
    7.  A row is changed only as it was taken: under its attempt number. What was skipped, dropped or
        redriven meanwhile is not undone by an answer. A dead letter of before a seek back goes in the step
        that passes its message as done: nobody redrives what has arrived.
    8.  Order `channel`: one at a time, the lowest row first. While a row waits nothing new is tried. Which
        rows there are is asked before anything is tried, and after each that was changed.
    9.  An attempt that is withheld (breaker, rate, pause, disabled, unconfirmed) is none: it counts for no
        schedule. Neither does a kept connection that the server had closed before it answered a byte; that
        is tried once more, on a new connection, under the same attempt.
    10. What retention has deleted above the cursor is on record in the step that comes to where it was found
        missing, and no sooner (`noting`). A row whose message is gone goes, on record. So does what is older
        than the subscription wants; it is not tried.
    11. The breaker and the failing time of an endpoint are of its shard's holder alone, and survive it.
    12. Rows on their way are bounded (`Settings.most_outstanding`): nothing new is tried that could need one
        more.
    13. A batch that has failed is tried as it was, under the same id, or as what is left of it, under another
        one. While there may be more of it than is here nothing of it is tried. One that is refused for what
        is in it is divided: nothing good dies beside what is bad.
"""
