"""KEEP: the writer of one partition.

Purpose
    Moves the entries of one partition's stream into MongoDB, each message once.

Deliberately absent
    Any state of its own. What is stored is in MongoDB, what is not is pending in the
    consumer group, and a writer that dies at any point between two instructions is
    followed by one that finds out the rest from those two.

Who does what
    ::

        main loop (`writer`)      XREADGROUP ──► batch ──► inserts in flight ──► settle
        a thread each (`inserting`, `store`)                 insert_many           │
        thread `heartbeat`        renews the lease          XACK + tallies  ◄──────┘
        a thread each (`watching`)  looks at the servers   each second: counts, XTRIM

    Two inserts are in flight, so that MongoDB works while the next batch is read. They
    may end in any order; they are settled in the order of the stream. Nobody waits for
    MongoDB but the threads in the background, so a writer stops while MongoDB hangs.
    A batch is bounded in messages and in bytes.

Durability
    An entry is acknowledged only after MongoDB has said that every message of it is
    durable (`w: majority, j: true`), was stored before (its `_id` is there: success), or is
    in quarantine. Whatever is not known counts as not stored and is done again: the
    `_id` makes a second attempt harmless.

Order
    A message that stands twice on the stream must be stored with its first position. So of two
    copies the later one is sent only when the earlier one is settled; ids are compared where not all
    comes from one listener (`relaycore.storing.together`). What shares no id is in flight together,
    wherever it came from.

Recovery
    The consumer has one name, whoever writes: what a dead writer left pending is read
    first, one entry at a time. An entry that was delivered more than `MOST_DELIVERIES`
    times has probably killed its writer: its messages are then stored one by one, each
    noted before it is tried (`Stream.suspect`); the one that is still noted at the next
    start is the culprit and goes into quarantine. Entries that some other consumer of
    the group left pending are claimed after `_FOREIGN_IDLE_SECONDS`, or as soon as nothing
    can go on without them. When the group is gone, what is in flight is settled and the
    group made anew, at 0: whatever stands on the stream is delivered again, and stored once.

What has vanished, what has gone back
    `relaycore.storing.keeping` decides it, `keeping` and `kept` carry it out. Entries have running numbers.
    Where numbers are missing, or where nothing waits and more was appended than is stored, a gap
    with the count is on record before anything behind it is acknowledged. MongoDB has one document
    for each partition (`partitions`): how far everything is stored, and a mark some seconds ahead
    above which nothing is; a message beyond it waits until the next ones are reserved, which is
    done before that, beside the work. At each beginning this is compared with what Redis says.
    A MongoDB that has gone back gets again what still stands on the stream. After Redis has lost
    its data ids go on from the mark, and what waits is appended anew in one step.

Terms
    The highest epoch of all writers stands in MongoDB, where it fences who may say how far it is. A claim is
    above it: PostgreSQL may go back, and the epoch after that of the lease may be an old one.

Failure
    transient (MongoDB away, disk full, election): the same messages again, with
    back-off, for ever; the stream waits, and is never trimmed above what is stored.
    unfit (Redis may evict, MongoDB takes no durable write): no writer begins. One that runs looks every 5 s,
    beside its work and begun by its heartbeat, says it as its trouble, and goes on: stopping would lose more.
    refused (a right that is missing, a full disk): tried again as well. A writer that does not get on for
    some seconds although the servers answer says that as its trouble.
    permanent (a document that MongoDB refuses, an entry that cannot be read): quarantine
    with the reason, and on with the rest.

Trimming
    Never by length: only below the oldest entry that is not acknowledged, and only what
    is older than `RELAY_STREAM_KEEP_SECONDS`, so that other readers of the stream have
    time for it. Redis out of memory: the writer goes on, as it is the one who makes room
    (`scripts`).

News
    In the step that acknowledges, whoever follows the partition is told which channels got something new
    (`relaycore.following.news`), once for a batch. Nobody has to be there to hear it, and a Redis that does
    not allow it holds nothing up.

Counts
    How many messages of a channel are stored stands in a Redis hash. Whoever acknowledges
    an entry leaves a tally of its messages in Redis, in the same step, so two writers that
    both believe in their term count nothing twice. Tallies are added to the counts once a
    second, many at once, in a step that takes them away: by this writer, or by the next one
    if this one is killed. With thousands of channels, counting each entry by itself would
    cost Redis more than everything else. An insert that was done twice is told from a true
    duplicate by the stored position: its own means that this message was counted as
    stored by nobody yet. When Redis has lost the hash, what was stored before is counted
    anew beside the writing (`counting`). What retention deletes is subtracted by a number that
    only grows (`retention`), so it may be told twice, and late.
"""
