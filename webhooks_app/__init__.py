"""PUSHES: endpoints, and what sends to them.

=============  ====================================================================
`models`       endpoints, their secrets, what asks for confirmation, and the webhooks that hang on them
`registration` making, changing, enabling and deleting an endpoint: the one place for it
`finding`      endpoints by their names
`addresses`    which URLs they may have
`keeping`      secrets and the owners' headers, encrypted
`confirming/`  that whoever has a URL wants what would be sent there
`testing`      one message to an endpoint, for somebody who waits for the answer
`subscribing`  what a subscription that is pushed has more than others
`rights`       who may do what with an endpoint
`api/`         endpoints by HTTP; `admin` shows them, `management/` has the command
`signing`      the secrets with which requests are signed, as text, and what signs without a shared one
`sending/`     senders: what a term of one shard is
`attempts`     the log of attempts, in MongoDB
`http/`        the client that sends: kept connections, to addresses that may be asked
=============  ====================================================================

What is decided is in `relaycore.sending`.
"""
