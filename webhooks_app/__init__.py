"""PUSHES: endpoints, and what sends to them.

=============  =================================================================
`signing`      the secrets with which requests are signed, as text, and what signs without a shared one
=============  =================================================================

What is decided is in `relaycore.sending`.
"""
