"""PUSH: sends what is stored to endpoints, as `relaycore.sending` decides.

Who does what, in one sender
    ::

        `sender`     claims the lease of a shard, has it renewed, and runs
        `shard`      one event loop: what is set (`known`), lanes, courses; a record ten times a second
          `present`  the courses that have to be looked at. One that rests is visited by nobody
          `lane`     one endpoint: what may be out to it (concurrency, rate, breaker), whose turn is next
          `course`   one subscription: `pulling.ahead` reads, `relaycore.sending.window` decides
          `encoding` each message once per format
        `recording`  a thread with one connection to PostgreSQL: one transaction for all that has happened in
                     the last 100 ms, or longer (`pause`), then a look at which rows are due
          `seeing`   what is said of endpoints (breaker, last answer), in a transaction of its own
        `webhooks_app.http`      sends
        `webhooks_app.attempts`  the log of attempts, in MongoDB

    Nothing is shared between senders, and nothing is copied: what waits for an endpoint is its cursors, and
    rows for what has failed.

What is where
    A course that lags is a cursor in PostgreSQL. In memory are at most some hundred messages of each that is
    being sent, and none of one whose endpoint is left alone.

Failure
    *PostgreSQL away*: what is under way ends, and nothing begins once the lease is not confirmed any more.
    What could not be recorded is sent once more, with the same ids. *Somebody holds a lock*: of what he has
    locked nothing is recorded, and it is tried again; all else is. A table that is locked stands in the way
    of all, and shows as trouble of the lease. *Redis or MongoDB away*: nothing new is read; what is in memory
    goes out. Attempts that cannot be logged are counted, and let go. *Killed*: the next sender goes on from
    the cursors and rows. *Frozen*: when it wakes it sends nothing before a renewal of its lease has been
    answered, and finds that somebody else has it. *One endpoint hangs*: its lane is full, and no other one is
    asked to wait. *A message cannot be sent*: it is a dead letter, and counts against nobody.

Threads
    The event loop has all state. The recording thread is given a job and answers with what came of it, one
    at a time; threads that read the archive are given nothing to change.
"""
