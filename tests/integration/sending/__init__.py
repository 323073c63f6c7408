"""Senders of webhooks, and their log."""
