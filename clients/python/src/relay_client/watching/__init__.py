"""Watching channels: messages the moment they are stored, over any break.

`stream`      an event stream by the HTML standard, as bytes come in
`rows`        what is told besides messages
`trail`       where a reader stands: what it asks next, and what an event, an answer or a break does
`live`        `client.live`, for threads
`async_live`  the same for asyncio

What is promised
    Each message that is stored behind the place where a reader began comes, in the order of its channel.
    After a break it goes on behind the last thing that the program was given. Where that is not possible,
    since retention has removed messages meanwhile or the archive was made anew, a `Reset` says so, and where
    Relay itself could not hear, a `Gap`.

What is not
    That Relay remembers where a program stood when it ended: a subscription does. Here the program keeps the
    `id`, and hands it back as `after`.
    That a message never comes twice: it does, once, after the number of partitions was changed.
"""
