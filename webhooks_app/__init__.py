"""PUSHES: endpoints, and what sends to them.

=============  =================================================================
`models`       endpoints, their secrets, what asks for confirmation, and the webhooks that hang on them
`keeping`      secrets and the owners' headers, encrypted
`sending/`     senders: what a term of one shard is
`attempts`     the log of attempts, in MongoDB
`management/`  the commands
=============  =================================================================

What is decided is in `relaycore.sending`.
"""
