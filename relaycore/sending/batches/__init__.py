"""Batches: many messages of one subscription in one request, and how each of them is done with.

A *batch* is what one request brings: messages of one subscription in the order of their positions, each with
its own id and row in the body. At most so many as the subscription says (`batch_messages`), and no more bytes
of payloads than `MOST_BYTES`, unless one message alone has more.

Its id
    The hash of its messages' ids, in their order (`ids`). Standard Webhooks has `webhook-id` as what a
    receiver does a thing once by: the same id has to mean the same messages. An id of its first message, or
    by chance, could be kept while one of the others is gone; this one cannot. So nothing has to be remembered
    beside which messages they are: what is composed alike is called alike, by any sender, at any time.

When it is composed
    New messages are composed when they are first tried: at once if nothing of the subscription is under way,
    or if there are as many as may go together. Else what is there waits for more, until nothing is under way
    or it was said that it has waited long enough (`Window.hurry`). So a quiet subscription waits for nothing,
    and a busy one fills its requests.

    Rows without a composition, such as redriven dead letters, are composed anew when they are due: those that
    were attempted as often. In order by channel each goes by itself.

How it is kept
    Each message has a row of its own, as everywhere (`relaycore.delivering.leasing`), and the row says of
    which batch: its id. Nothing else is kept: what is listed, skipped, redriven and expired are messages.

    ==============  =========================================  =============================================
    a batch         by                                         becomes
    ==============  =========================================  =============================================
    composed        2xx                                        done: each of its messages
    composed        it fails                                   rows of one batch, due at the same instant
    composed        it is passed while it is out (rule 5)      the same, due at once
    rows            due, all of them read                      the same batch, under the same id
    rows            one is gone, too old, or was skipped       a batch of the others, under another id
    rows            400, 413 or 422, which may be about one    as many batches of one, due at the same instant
    rows            its last attempt fails                     dead letters, each by itself
    a dead letter   it is redriven                             a row without a composition
    ==============  =========================================  =============================================

    Of a batch that has rows nothing is tried while one of its messages is under way, is not read yet, or has
    no row yet though it has failed: half of it would be another batch.

What a receiver may see twice
    A batch under its id, as one message under its own: its answer was lost, or its sender died. Under another
    id a message comes again only where what it was composed with is not known, or is not to be sent, any
    more: its sender died before it had recorded the batch; the batch was divided; another one of it was
    skipped, dropped, deleted, or grew too old; it was redriven, or there was a seek; another filter has put
    messages between. Whoever needs each message once goes by the ids in the body.

Orders
    `none`: batches are sent beside each other. `channel`: one batch at a time, its messages in order; one
    that fails holds back all that follows. By a field there are none: a message waits there for the one
    before it of its key, and no request may have both.

How many are without a trace
    All messages of a batch count. One goes out only if it has room below the bound as a whole.

============  ==============================================================
`ids`         what a batch is called
`batch`       messages that go together
`composing`   which of the rows and new messages go together next
`setting`     how many, and with which orders
============  ==============================================================
"""
