"""OTHER DOORS: what clients of other products speak, translated to what the apps below offer.

============  =================================================================
`log_queue/`  topics, producers, consumers and offsets, for clients of a well-known course exercise
`models`      the ids that it gives away, in PostgreSQL
============  =================================================================
"""
