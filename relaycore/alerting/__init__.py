"""Alerting: what a rule says of a channel, in which order, exactly once, whoever dies.

A *rule* turns one channel into another one. It is a pure function of the log, time included: what it says is
determined by what is stored, and by where its settings were changed. Whoever drives it (a *processor*,
`alerts_app.processing`) reads the channel, appends what the rule says to another one, and keeps how far it
has come. Everything here is decided without a clock, a server or a thread.

The promise
    What a rule has said, all in all, is what the function says of the log: each output once, none else. That
    holds if processors are killed or frozen at any instant, two at a time, if Redis loses its data or its
    clock falls back, and while its settings are changed. An output of a timer comes when its time has come,
    never before; if nobody ran then, it comes once somebody runs.

The words
    =========  =========================================================================================
    kind       what a rule does: `window`, `threshold`, `absence`, ... (`kinds`). It keeps one state by key
    key        the values of some fields of a message, as canonical JSON
    input      a message of the channel; its time is that of its position: ms, by the clock of Redis
    timer      what a state is due for at a time
    cause      what made the rule say something: an input or a timer (`causes`). As text they sort in the
               order in which they happen: a timer that is due at T comes before all inputs at or above T
    output     a message that the rule says. Its `_id` is the hash of rule, revision, key, cause, kind of the
               output and its index among those of that kind (`naming`): saying it twice stores it once
    alert      what is open in a state: it has the cause by which it was opened, and so an id
    frontier   up to where everything was taken and fired, all that was said is stored, and states are kept
    term       the time in which one processor has one shard of the keys
    =========  =========================================================================================

One term
    load the frontier and the states → take inputs, reach times → append what is said → see it stored → keep
    states and frontier → ...

Rules without which something is lost, said twice, or said otherwise
    1.  Timers before inputs: a timer that is due at T fires before the first input at or above T.
    2.  A time is reached only when nothing below it can come any more, whatever becomes of Redis (`times`):
        everything below the watermark is taken, and neither the watermark, nor the last id that the stream
        has given, nor the mark that its writer has reserved is below it. A watermark alone follows a clock,
        which may fall back.
    3.  The frontier passes only what is stored. A state is kept only if all that was said up to it is stored.
    4.  States are written before the frontier. So a state may be ahead of it (a processor has died between);
        it says at which cause it stands, and a cause at or below that is passed over for its key. A state
        that has ended is kept as such until the frontier has passed it: else a replay would begin it anew.
    5.  Whatever a term writes is fenced. A term begins in this order: its epoch in the frontier; its epoch in
        Redis; mark, last id and watermark; the states are claimed, so that none is written by an earlier term
        any more; then frontier and states are read. What stands in Redis is lost or goes back with its data:
        it says in which run of the server it was set, and where it is missing, of another epoch or of another
        run, nothing is appended, and the term is over. So a processor that was frozen neither appends nor
        keeps anything, and leaves no state that has ended meanwhile.
    6.  Settings change at a frontier, in the write that keeps it, and only when all is stored and kept. What
        is said under them waits for that write. So a replay goes on under the settings under which it was
        said.
    7.  A new term replays under the settings in the frontier up to where an earlier one may have come
        (`times.known_from`). Only from there on settings may change.
    8.  The retention of the input, and that of the output, stay behind the frontier (`times.may_expire`).
        Else a replay would find less than there was, or say again what was said and deleted. For that an
        output stands at or above the time of its cause.
    9.  An input that the rule cannot use is counted and shown with the reason. It never stops the rule.
    10. What is said and not stored is bounded: at `processing.MOST_UNSTORED` no more inputs are taken.

Concurrency
    A `Processing` is one rule in one shard in one term; one thread drives it. Rules know nothing of each
    other, neither do keys. Keys are shared out among shards by `naming.shard_of`; where all keys of a rule
    are one state (`is_by_key` is false), one shard has the rule. States are of rule and key, not of a shard:
    with another number of shards they are read by whoever has their keys by then, from the least frontier of
    the old division on, each key as it was in the shards that had it, of whatever division (`dividing`).

What goes wrong, and what follows
    Redis has lost outputs that were not stored: they are said again (`lost`), with the same ids. MongoDB is
    away: nothing is kept, and at the bound nothing is taken. The clock was set back: rule time stands still
    until the clock has come there; nothing is said twice. Redis has lost inputs that were not stored: they
    are gone, and that is on record with the writer.
"""
