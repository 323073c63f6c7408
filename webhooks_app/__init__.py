"""PUSHES: endpoints, and what sends to them.

==========  ====================================================================
`models`    endpoints, their secrets, what asks for confirmation, and the webhooks that hang on them
==========  ====================================================================

What is decided is in `relaycore.sending`.
"""
