"""PUSHES: endpoints, and what sends to them.

=============  =================================================================
`models`       endpoints, their secrets, what asks for confirmation, and the webhooks that hang on them
`keeping`      secrets and the owners' headers, encrypted
`management/`  the command
`signing`      the secrets with which requests are signed, as text, and what signs without a shared one
`http/`        the client that sends: kept connections, to addresses that may be asked
=============  =================================================================

What is decided is in `relaycore.sending`.
"""
