"""Rules and alerts by HTTP."""
