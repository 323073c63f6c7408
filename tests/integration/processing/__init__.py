"""Processors, in threads and as processes, on real servers."""
