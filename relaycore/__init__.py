"""What Relay decides, with nothing of what it touches.

Everything in this package is a function of its arguments: the standard library
only, and none of `time`, `random`, `socket`, `threading`, `asyncio`, `logging`.
Time, chance and the world are passed in. So each rule can be tested without a
server, and can be read without knowing one.

What everybody needs:

=====================  ============================================================
`channels`             which channel names may be relayed, and which partition has one
`globs`                patterns of channel names, as Redis has them
`rights`               what a token may do, and on which channels
`policy`               what makes two messages the same, as an operator writes it
`identity`             the deduplication key of one message: its MongoDB `_id`
`envelope`             one message as bytes, and the open format of a stream entry
`described`            what a publisher says of a message beside its payload
`legacy`               one message as JSON, for consumers of the older kind
`position`             where a message stands in its partition
`backoff`              how long to wait before trying again
`refusals`             what an error that Redis answers means
`layout`               into how many partitions everything is divided, and whether all agree
`times`                milliseconds, as Redis and MongoDB give them, as times
`fitness`              what speaks against a server, by what it says of itself
`errors`               the tree of what can go wrong
=====================  ============================================================

What is decided about a lease by whoever holds it:

=====================  ============================================================
`leasing.confirming`   until when it may be sure that nobody else has it
=====================  ============================================================

What a writer decides:

=====================  ============================================================
`storing.known`        what MongoDB and Redis say of a partition, and up to where readers may look
`storing.keeping`      up to where all is stored, what has vanished, and whether a store has gone back
`storing.shortening`   a shorter retention, which deletes nothing for a minute
`storing.expiring`     up to where retention has deleted a channel, and how many messages
`storing.batching`     how much a writer reads at once
`storing.together`     what may be on its way to MongoDB at one time
`storing.duplicates`   which unique index a duplicate key is about, and so what it means
`storing.retrying`     until when a message in quarantine that is sent again stays there
`storing.shown`        a stored message as JSON shows it
=====================  ============================================================

What is decided when messages are taken by HTTP:

=====================  ============================================================
`publishing.parsing`   which messages the body of a request has
`publishing.queue`     what waits for the stream, what is appended when, and who may be told
`publishing.standing`  where it stands, and what may be said to who waits until it is stored
`publishing.strict`    JSON of strangers, in which no name is there twice
`publishing.telling`   what Relay itself tells: what is appended together, and until when it waits
=====================  ============================================================

What a follower decides, the one reader of a process that hands on what is newly stored:

=====================  ============================================================
`following.reader`     who reads what, when and how far: the cursors of one process
`following.places`     what goes between that and whoever drives it: places, questions, pages
`following.news`       what a follower is told when something is stored
=====================  ============================================================

What is decided when messages are handed out to subscriptions:

=====================  ============================================================
`delivering.beginning`  where a cursor begins
`delivering.cursor`    how far a subscription has come, and who may move it
`delivering.forgetting` until when what ended undelivered stays on record
`delivering.giving`    what one fetch hands out, and what is written before
`delivering.holding`   order by a field: what waits behind another message of its key
`delivering.leasing`   who is given which message, what becomes of it, and when it is due again
`delivering.reading`   what a process has read ahead of a cursor
`delivering.seeking`   what a seek passes over
`delivering.settings`  what a subscription is set to
`delivering.settling`  what becomes of rows by what workers and operators say
`delivering.skipping`  what retention has deleted before it was handed out
`delivering.tokens`    what a worker shows when it settles a message
`delivering.unlocked`  what is decided by a row as a process has left it, without locking it
=====================  ============================================================

What is decided when messages are pushed to webhooks:

=====================  ============================================================
`sending.window`       one subscription in one sender's term: what is tried next, how far it has come
`sending.contents`     what is in a window: each message in one place, and how much all of it is
`sending.keyed.queue`  in order by a field: new messages, and which of them may be tried
`sending.keyed.keys`   which keys are parked, open or out, and what is written of them
`sending.batches.ids`  what many messages in one request are called together
`sending.batches.batch` messages that go together
`sending.batches.composing` which of the rows and new messages go together next
`sending.batches.setting` how many go together, and with which orders
`sending.items`        what goes between that and whoever drives it
`sending.again`        rows that are due, and what has become of those in hand
`sending.noting`       when what retention has deleted may be put on record
`sending.writing`      what is written of a window in one step
`sending.answers`      what came of one attempt
`sending.verdict`      what that means
`sending.schedule`     when a message that failed is tried again
`sending.breaker`      whether an endpoint is left alone for a while
`sending.pace`         how many attempts begin in a second, and are under way after a pause
`sending.failing`      for how long it has done nothing but fail
`sending.faring`       all of that, by what it answers
`sending.shards`       which sender has an endpoint
`sending.signing`      headers by which a receiver knows that it was Relay
`sending.formats.choosing` a message in the format that is asked for, and many in one request
`sending.formats.format` the formats by name, and what one makes of a message
`sending.formats.headers` what a publisher said, where it may stand in headers
`sending.formats.raw`  the payload, byte for byte, and headers
`sending.formats.rows` the row of the API: as Standard Webhooks advises, and one a line
`sending.formats.cloudevents` an event of CloudEvents, in headers and in JSON
=====================  ============================================================

What is decided about an endpoint before anything is sent to it:

=====================  ============================================================
`endpoints.consent`    whether it wants that, by what it has answered
=====================  ============================================================

What may be connected to, and what stands in a request:

=====================  ============================================================
`outbound.addresses`    which addresses may be connected to
`outbound.urls`         where an endpoint is, read strictly
`outbound.headers`      what stands in a request before its body, and what its owner may choose of it
`outbound.hops`         how often a message has come back by a webhook of Relay's own
`outbound.retry_after`  when an endpoint wants to be asked again
=====================  ============================================================

What a live client is owed:

=====================  ============================================================
`live.ids`             where it stands, as the id that it sends back, and what going on from there means
`live.ring`            what came last in a channel, kept for all who watch it
`live.walk`            one client in one partition: what comes next, from the archive or from rings
`live.owed`            one client: messages, what it is told beside them, and its end
`live.settled`         up to which number everything on record is known
`live.broadcasts`      by which event a channel may go to every socket
`live.slow`            whether it takes what it is sent, or has to go
=====================  ============================================================

Which messages a subscription gets:

=====================  ============================================================
`filtering.policy`     a filter policy, read once, and whether a message matches it
`filtering.conditions`  what a policy asks of the value at one key
`filtering.kinds`      operators that take text
`filtering.leaves`     the values at one key, and what conditions make of all of them
`filtering.values`     what a message has at a key: in its body, in its attributes
`filtering.wildcards`  patterns with `*`
=====================  ============================================================

What a rule says, which turns one channel into another one:

=====================  ============================================================
`alerting.items`       what goes between a rule and whoever drives it
`alerting.errors`      what can go wrong with rules and alerts
`alerting.rules`       kinds of rules by name
`alerting.causes`      what made a rule say something
`alerting.acknowledging` what people do with an alert, as a message beside what is told of it
`alerting.times`       up to which time the log is known
`alerting.naming`      ids of outputs and alerts, and the shard of a key
`alerting.timers`      when states are due
`alerting.processing`  one rule in one shard in one term: what is said, and how far it has come
`alerting.dividing`    another number of shards: what those before have come to with each key
`alerting.making`      an output with what is stored beside it
`alerting.trying`      a rule tried on what is stored, beside what was told
`alerting.kinds.window` things that last: open at once, closed once
`alerting.kinds.threshold` so many within so much time: opened, and closed when they are fewer
`alerting.kinds.absence` nothing for so long: opened, and closed by the next
`alerting.kinds.unacknowledged` an alert that nobody has acknowledged for so long
`alerting.kinds.failing` a receiver that is not reached, by what Relay tells of itself
`alerting.kinds.coming` messages of which only matters that they come
`alerting.kinds.quiet` maintenance times, in which what comes is passed over
`alerting.kinds.fields` what is read of a message
`alerting.kinds.texts` JSON and times
`alerting.kinds.moments` times in ISO 8601, the rarer forms too
`alerting.kinds.settings` settings, read strictly
=====================  ============================================================

What is decided of alerts that are known by their labels:

================================  ==================================================================
`alerting.labelled.labels`        which labels may be given, and the fingerprint of a set of them
`alerting.labelled.posted`        what senders say of an alert, and what becomes of what was known
`alerting.labelled.transitions`   the message that an alert begins to fire, or no longer does
`alerting.labelled.matchers`      what is asked of one label
`alerting.labelled.regexes`       patterns in matchers, of which none takes long
`alerting.labelled.patterns`      how they are written
`alerting.labelled.characters`    what may stand at one place of them
`alerting.labelled.silences`      whose notices are held back, from when until when
`alerting.labelled.inhibition`    which are held back while others fire
`alerting.labelled.intervals`     times of the week and of the year
`alerting.labelled.grouping`      what a rule of the kind `group` is set to
`alerting.labelled.group`         that kind: alerts that belong together are told together
`alerting.labelled.flushing`      a look at one group: whether something is told, what, and why
`alerting.labelled.payload`       what is told: the body of Alertmanager's webhook
`alerting.labelled.refused`       what can be wrong
================================  ==================================================================

What is decided of alerts that senders repeat while they fire:

=====================  ============================================================
`receiving.states`     what becomes of one by what is said, and by its end; what is told then
`receiving.hearing`    up to when it may be said that nobody has repeated something, and what is late
=====================  ============================================================

What can be said of one connection:

=====================  ============================================================
`capturing.capture`    what a connection hears, in order, turned into envelopes
`capturing.holding`    what a standby holds, cut at the ticks
`capturing.ticks`      the marker that cuts what all connections hear into common pieces
`capturing.notices`    what listeners are told on the control channel
`capturing.echoes`     what stands on the stream already, and comes in all the same
`capturing.subscribing`  the order of subscribing, and which channels are proved to be heard
`capturing.policies`   which policy holds at which place: they begin at ticks
`capturing.accounting`  what was missed, and how far may be confirmed
=====================  ============================================================

What a listener decides. It has one door, `protocol`: what happened goes in, what is to be done (`effects`)
comes out. What stands below it in the table is what it is made of.

=====================  ============================================================
`listening.protocol`   one listener: whatever it decides, from whatever happens to it
`listening.effects`    what it is told to do
`listening.attachment`  how a connection begins, and that it leads to the right server
`listening.election`   who leads, decided from what is heard
`listening.transitions`  the same as a table: state, event, what follows
`listening.candidate`  what follows from that: a claim, a term, a hand-over, an end
`listening.office`     what a leader does in its terms
`listening.outside`    how things stand outside, and what Redis answers to a tick
`listening.hearing`    what is relayed, and what is held
`listening.standbys`   who has proved to be whole
`listening.pulse`      when a leader ticks, and whether it hears itself
=====================  ============================================================
"""
