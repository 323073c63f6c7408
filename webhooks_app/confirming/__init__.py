"""Confirming: that whoever has a URL wants what would be sent there.

Without it Relay would send whatever anybody likes to whomever he likes. So an endpoint is `pending` until one
of three has happened, and again once its URL is another one:

============  ======================================================================================
`challenge`   a POST brings it a secret text; it sends that back, or somebody opens the link beside it
              and presses the button there. Opening it is not enough: scanners of mail open links
`options`     it allows this origin, as CloudEvents' webhooks do
`vouched`     somebody who manages every channel answers for it, on record
============  ======================================================================================

What is sent before that is the same for everybody: a fixed body, signed, without the owner's headers. What is
answered is shown to nobody. A host is asked `asking.PER_HOST` times a minute, whoever asks, and an owner may
ask `asking.PER_OWNER` times. A challenge is 256 bits of chance, kept as its digest, good for two days, for
this endpoint and this URL alone. It holds as often as it is shown: confirming twice changes nothing.

`asking` counts the request and puts it on record in the transaction that needs it; a task sends it once that
is committed (`requesting`), in a thread, since the worker of that queue has one process and proposes loops.
If it is lost with that process, somebody asks again. `answering` is what confirms.
"""
