"""PUSHES: endpoints, and what sends to them.

=============  =================================================================
`models`       endpoints, their secrets, what asks for confirmation, and the webhooks that hang on them
`keeping`      secrets and the owners' headers, encrypted
`management/`  the command
=============  =================================================================

What is decided is in `relaycore.sending`.
"""
