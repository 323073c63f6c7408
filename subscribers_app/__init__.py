"""WHO READS, HOW FAR: subscriptions, and the messages that are on their way to somebody.

================  ============================================================
`models`          subscriptions, deliveries, and what ended undelivered, in PostgreSQL
`registration`    making, changing, pausing and deleting a subscription: the one place for it
`kinds/`          what each kind of subscription has more, and what it may be set to
`starting`        from "earliest", "latest", a time or a position to where a cursor stands
`seeking`         moving a cursor, with a dry run
`dead`            dead letters: looking, handing out again, dropping; skipping one message
`ended`           what ended undelivered, and why, in one list
`forgetting`      until when that stays on record
`filters`         which filters a subscription may have
`ordering`        order by a field: what it may be, and what is kept of filters of before
`lag`             how far behind a subscription is
`activity`        how many messages go out of it a second, and what its readers said last
`watching`        all of them at a glance, for operators; `measuring` how far behind, in bounded time
`remembering`     what a subscription is set to, from memory, for what is called once per message
`pulling/`        fetch, commit, ack, nack, extend
`api/`            subscriptions by HTTP; `admin` shows them, `management/` has the command
================  ============================================================

What is decided is in `relaycore.delivering`.
"""
