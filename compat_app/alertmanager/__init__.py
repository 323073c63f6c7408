"""ALERTMANAGER: its API, version 2, below `/alertmanager`, for Prometheus, amtool and whoever speaks it.

==============  ============================================================================
`application`   the ASGI application in front of Django: who asks, and which call it is
`calls`         each call: what is asked, and who answers
`shapes`        alerts, silences and the rest as that API writes and reads them
`filters`       what is asked of them in a query
`managing`      `/-/healthy` and `/-/ready`, for those who watch it
`failures`      why something is refused: a bare text as JSON
==============  ============================================================================

What it is made of
    =========  =========================================================================================
    alert      a row (`alerts_app.receiving`), and a message of `relay/alertmanager` when it begins or ends
    silence    `alerts_app.silencing`
    receiver   that of the rules of the kind `group` which read the channel; `relay` if there is none
    route      such a rule: its matchers, its `group_by`
    =========  =========================================================================================

Posting
    Whatever is valid of an array is taken, also if the answer is 400 because of the rest. It is answered once
    it stands in PostgreSQL, and told; if that takes longer than two seconds, before it is told. Prometheus
    does not try again, but repeats what fires a minute later: so it is never told to slow down (429).

Who may
    `RELAY_ALERTMANAGER`: `off`, nothing of this is there; `token`, by grants on the channel: publish to post,
    read to look, manage to silence; `open`, anybody. A token is a bearer's, or the password of Basic: amtool
    and Prometheus both have that, and the name beside it is not looked at.

Differences
    What ends is ended by its end alone; nothing is known of receivers behind a webhook. The configuration
    that is shown is made up: routes are rules. There is no cluster. `docs/alertmanager.md` says the rest.
"""
