"""What operators look at: health, readiness, metrics.

One look (`looking.look`) at all three servers, for all of them and for `manage.py status`. A
server that is away is a finding and not an error, and is waited for `PATIENCE_SECONDS` at
most. Nothing here is kept: the truth is in the lease table, on the streams, and in what the
loops have counted (`relaybase.meters`).
"""
