"""KEEP: what was heard, stored once in MongoDB, and read again."""
