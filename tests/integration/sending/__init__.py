"""Senders of webhooks."""
