"""PUSHES: endpoints, and what sends to them.

===============  ===============================================================
`models`         endpoints, their secrets, what asks for confirmation, and the webhooks that hang on them
`registration`   making, changing, enabling and deleting an endpoint: the one place for it
`finding`        an endpoint by its name, or the very one that was looked at; locked
`setting`        what may be set of one, and what of that is told to the audit log
`addresses`      which URLs it may have
`rights`         who may do what with it
`keeping`        secrets and the owners' headers, encrypted
`signing`        secrets as text, and ed25519
`trusting`       TLS of one endpoint: its CA, and a client certificate
`confirming/`    that it wants what comes
`testing`        one message to it, for somebody who waits for the answer
`subscribing`    subscriptions that are pushed, as a kind of subscriptions
`http/`          the client that sends
`sending/`       senders: what a term of one shard does
`attempts`       the log of attempts, in MongoDB
`watching`       all of them at a glance, for metrics
`api/`           endpoints by HTTP; `admin/` shows them, `management/` has the commands
===============  ===============================================================

What is decided is in `relaycore.sending`.
"""
