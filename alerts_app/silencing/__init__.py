"""SILENCE: whose notices are held back, from when until when.

==============  =================================================================
`models`        the table
`registration`  making, changing and ending them: the one place for everybody
`forces`        what rules of the kind `group` are set to by them
==============  =================================================================

A silence is a setting of every rule of the kind `group`, beside its own. So each change gives these rules
another revision, in the transaction that writes it, and their processors take it up at a frontier
(`relaycore.alerting`): what was told before stands, and can be said again as it was. When a silence begins
and ends, the time of the rule decides.
"""
