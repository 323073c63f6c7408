"""PROCESS: what rules say of their channels, appended to others, as `relaycore.alerting` decides.

Who does what, in one processor
    ::

        `processor`   claims the lease of a shard, has the shard fenced in, and works
          `fence`     the term in MongoDB and in Redis: nobody of an earlier one appends or keeps anything
          `working`   one thread with all state, turn by turn:
            `course`  one rule: pages of its channel, `relaycore.alerting.processing`, the time it has reached
            `passage` Redis' clock and the marks of writers: whether a time has come, and is let pass
            `outlet`  what all rules say: `saying` appends it for each partition, and sees it stored
            `keeper`  states and frontiers, in MongoDB (`writing`)
          `learning`  a thread that asks PostgreSQL: which rules there are (`known`), and where each of them
                      stands (`opening`)
        `messages_app.searching.following`  a thread for each partition: pages, as they are stored

    Nothing is shared between processors. A rule has its keys in all shards (`relaycore.alerting.naming`), or,
    where all keys are one state, it is in one shard.

One message, step by step
    It is stored, the follower hands out its page, the course takes it. What it makes the rule say is appended
    at once, with the fence compared in the step that appends. When the watermark of that partition has passed
    it, it is looked up in MongoDB by its ids. Then states are written, the frontier after them, and what has
    ended is deleted: ten times a second at most, for all rules together.

What a time needs
    A timer may fire once nothing can come below its time. Where nothing comes, the last id of the stream is
    raised to it (`messages_app.searching.passing`), and what is stored is looked at after that, never before:
    the clock of Redis may have fallen back between the two, and something have come.

Terms and divisions
    Everything that is kept says under which *term* it was written. Its number is made of the *division* (it
    counts how often the number of shards was changed) and of the epoch of the lease, so that any two can be
    compared. A term begins so: its number stands in MongoDB, then in Redis, then on all that is kept of the
    shard; only then is anything read. In another division each shard takes the states of its keys, wherever
    they were, but for those that are nobody's (`alerts_app.owning`; nobody is shown them), and goes on from
    the least frontier of the division before. States say at which cause they stand, and frontiers of any
    division how far a key was taken, so nothing is said otherwise; what is said again has the same ids. If an
    edit had come into force in some shards only, each key goes on as it would have there, until it does here
    (`relaycore.alerting.dividing`).

Settings
    The frontier has the settings in force, in the same document. A rule that was edited goes on under those
    until all is stored and kept; the next frontier has the others, and only then is anything said under them.

Failure
    *PostgreSQL away*: rules go on, none begins, and no edit comes into force. *MongoDB away*: nothing is
    read, what was said is not known to be stored, and after 1,000 outputs of a rule nothing is taken. *Redis
    away*: nothing is appended, and no time passes. *Redis full*: what is said waits. Time passes: that needs
    no memory. *Killed*: the next processor goes on from the frontier. What was due meanwhile it says at once.
    *Frozen*: when it wakes Redis refuses what it appends, and MongoDB what it keeps. *One rule fails*: it is
    begun with anew from what is kept, and the others go on. *A rule is deleted*: what is kept of it goes, and
    what it has said stays.

    What one cannot do is the `trouble` of its lease.
"""
