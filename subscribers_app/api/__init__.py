"""Subscriptions by HTTP."""
