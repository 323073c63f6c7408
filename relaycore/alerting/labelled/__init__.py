"""Alerts that are known by their labels: what Alertmanager's words mean here.

==============  ==================================================================================
`labels`        which labels may be given, and the fingerprint of a set of them
`posted`        what senders say of an alert, and what becomes of what was known of it
`transitions`   the message that says that one begins to fire, or no longer does
`matchers`      what is asked of one label
`regexes`       patterns in matchers, of which none takes long
`patterns`      how they are written
`characters`    what may stand at one place of them
`silences`      whose notices are held back, from when until when
`inhibition`    which are held back while others fire
`intervals`     times of the week and of the year: maintenance, hours of duty
`grouping`      what a rule of the kind `group` is set to
`group`         that kind: alerts that belong together are told together
`flushing`      a look at one group: whether something is told, what, and why
`payload`       what is told: the body of Alertmanager's webhook
`refused`       what can be wrong
==============  ==================================================================================

Times are milliseconds since 1970. Silences, inhibitions and intervals are settings of a rule: they are in
force from a frontier on (`relaycore.alerting`), and with the time of the rule. So what was told of the past
can be said again, whatever was silenced since.
"""
