"""PUSHES: endpoints, and what sends to them.

=============  =================================================================
`models`       endpoints, their secrets, what asks for confirmation, and the webhooks that hang on them
`keeping`      secrets and the owners' headers, encrypted
`http/`        the client that sends
`signing`      secrets as text, and ed25519
`sending/`     senders: what a term of one shard does
`management/`  the commands
=============  =================================================================

What is decided is in `relaycore.sending`.
"""
