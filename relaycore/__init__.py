"""What Relay decides, with nothing of what it touches.

Everything in this package is a function of its arguments: the standard library
only, and none of `time`, `random`, `socket`, `threading`, `asyncio`, `logging`.
Time, chance and the world are passed in. So each rule can be tested without a
server, and can be read without knowing one.

===========  ==================================================================
`channels`   which channel names may be relayed, and which partition has one
`policy`     what makes two messages the same, as an operator writes it
`identity`   the deduplication key of one message: its MongoDB `_id`
`ticks`      the marker that cuts what a connection hears into common pieces
`capture`    what a connection hears, in order, turned into envelopes
`envelope`   one message as bytes, and the open format of a stream entry
`legacy`     one message as JSON, for consumers of the older kind
`position`   where a message stands in its partition
`batching`   how much a writer reads at once
`backoff`    how long to wait before trying again
`refusals`   what an error that Redis answers means
`errors`     the tree of what can go wrong
===========  ==================================================================
"""
