"""PUSHES: endpoints, and what sends to them.

=============  =================================================================
`signing`      the secrets with which requests are signed, as text, and what signs without a shared one
`http/`        the client that sends: kept connections, to addresses that may be asked
=============  =================================================================

What is decided is in `relaycore.sending`.
"""
