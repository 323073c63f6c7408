"""Kinds of rules: what each makes of a message, by its settings. `relaycore.alerting.rules` has them by name.

A drill marks itself: what `fields.key` takes for one is apart from all else, and is told as one.

Times inside are microseconds since 1970, since a source may give so much, and windows that touch by a
microsecond are not to fall apart; timers fire at the first millisecond at or above.
"""
