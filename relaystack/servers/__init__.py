"""The servers of the stack: PostgreSQL, Valkey and MongoDB, each from a wheel or from outside.

Reading order: `embedded` (what is the same of all), its three kinds, `together` (several at once), `external`
(those that somebody else runs).
"""
