"""HANDLE: what people do with alerts, and the channel on which that is told.

============  ==============================================================================
`deciding`    what is done: the one place for the API and the pages
`models`      what is still to be told, in PostgreSQL
`telling`     that becomes messages on the channel of the alert, each once
============  ==============================================================================

Told once
    That somebody has acknowledged an alert, or takes it back, is written in the transaction that makes it
    so, with an identity of its own. It is told after that: at once, or by beat's tick if it could not be.
    Whoever tells appends what waits, the oldest first, under these identities, and deletes it once it is
    stored: what is only appended a Redis may lose. If he dies in between, or two tell at once, it is appended
    once more and stored once, so no lock is held while Redis is asked. Nobody tells what is newer before what
    is older: what was done to one alert stands on the channel in the order in which it was done.

What it is for
    Rules over that channel (`unacknowledged`) take it as they take whatever else is told there, at its
    position. Who has done it, and what he has written, is told to nobody: it stands with the alert.

Deliberately absent
    Rules of the kind `group`: what they write are notices for receivers of Alertmanager's webhook, which know
    nothing else. Their alerts may be acknowledged; that stands with the alert only.
"""
