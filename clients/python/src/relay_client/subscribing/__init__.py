"""Subscriptions: administering them, and taking their messages.

`calls`                requests, as values
`rows`                 what is answered
`subscriptions`        `client.subscriptions`
`async_subscriptions`  the same for asyncio
"""
