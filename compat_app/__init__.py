"""OTHER DOORS: what clients of other products speak, translated to what the apps below offer.

===============  ==============================================================
`alertmanager/`  Alertmanager's API, for Prometheus and amtool
`log_queue/`     topics, producers, consumers and offsets, for clients of a well-known course exercise
`models`         the ids that the log queue gives away, in PostgreSQL
===============  ==============================================================
"""
