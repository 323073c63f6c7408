"""Endpoints by HTTP."""
