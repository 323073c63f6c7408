"""Kinds of subscriptions: what each has more than the others, and what it may be set to.

One that is pulled has nothing more. One that is pushed has an endpoint, and belongs to an app above this one:
that app says what it has (`kind.Kind`) and registers it as soon as Django knows it. So what makes, changes
and shows subscriptions (`registration`, `api/`) knows of it, and imports nothing of it.

============  ===================================================================
`kind`        what a kind says of itself, and the kinds that there are
`checking`    which settings a subscription may have, by its mode and its kind
============  ===================================================================
"""
