"""Senders: endless tasks, one for each shard of the endpoints (`RELAY_SENDER_SHARDS`).

By which rules one sends is decided in `relaycore.sending`. Here is what a term is:

`send` claims the lease of its shard (`leases_app.sharding`), has a thread of its own renew it, and runs a
`Shard` until it is asked to stop or the term is lost. A `Shard` begins nothing after the instant up to which
the lease is confirmed, which it asks each time.
"""
