"""TAKE: what sources post as alerts, put on the channel `alerts`.

`POST /api/alerts` is what programs call that know nothing of Relay: an object with a place, a type, a time
and a duration. What is taken is a message like any other, byte for byte as it was posted. What becomes of it,
a rule says that reads the channel (`alerts_app.defaults`).

=============  =================================================================
`alert`        what a body says, and what is wrong with it
`pages`        whose pages may post, and what their browsers are told
`application`  the ASGI application in front of Django that answers it
`schema`       the same for who reads the API's schema
=============  =================================================================

What 200 promises
    What a 202 does elsewhere (`messages_app.publishing`): the alert stands on the stream, and is stored once,
    whatever process dies next.

Sent again
    With an `id` (or `uuid`) of its source it is stored once. Behind a token the source is the token. Where
    anybody may post nobody knows who asks, and two sources that count 1, 2, 3 must not erase each other:
    there the same id with the same alert is the same one. Without an id it is stored again, which changes
    nothing of a window: it lies within itself.

Who may
    `RELAY_ALERTS`: `off`, nothing of this is there; `true`, a token with the right to publish on the channel;
    `open`, anybody who reaches the process. A browser's page is not anybody: it comes from wherever its
    reader has been, so it counts only if it is of this site or `RELAY_LIVE_ORIGINS` names it.

Failure
    What is no alert is 400 and says which field. Too large is 413. Whatever is no fault of the sender is 503
    with Retry-After: a server is away, there is no room, the channel is not there, or nobody knows what it
    is. It is never 500: whoever has to tell of a danger tries again.
"""
