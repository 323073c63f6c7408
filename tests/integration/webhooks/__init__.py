"""Endpoints and webhooks, on real servers."""
