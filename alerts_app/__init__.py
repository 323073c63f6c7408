"""AGGREGATES: rules, each of which turns one channel into another one by a pure function of the log.

=============  =================================================================
`models`       rules, and what people say of alerts, in PostgreSQL
=============  =================================================================

What a rule makes of what it reads is decided in `relaycore.alerting`. Who reads, and what is told, is on the
channels, which are like any other: this app keeps which rules there are, and hands over nothing itself.
"""
