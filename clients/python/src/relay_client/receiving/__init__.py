"""Receiving webhooks: whether it was Relay who sent a request, and which messages it brings.

`verifying`   `verify`, with the clock
`signatures`  whether headers and body are signed, as Standard Webhooks 1.0.0 says
`ed25519`     the same with a public key, by the library `cryptography`, if it is there
`headers`     headers as any server gives them
`formats`     the messages of a request, in whatever format
`events`      those that come as CloudEvents
`rows`        what a program is given

What is promised
    What `verify` gives was signed, with its id and its body, by somebody who has one of the secrets, not
    longer ago than asked for; and the messages are those that the id is of. How long comparing takes says
    nothing of the secrets.

What is not
    That a request comes once: its `id` is the same each time. That what stands in headers was not changed
    on its way: only the id, the time and the body are signed.
"""
