"""The admin's home page: what an operator wants to know first, read anew every two seconds.

Each part is read by itself, so that a server that is away takes away only what is its
own. Nothing here scans: what costs more with more messages has no place on it.

The page is made on the server, at first and at each refresh, by the same templates,
which escape whatever came from a channel. `static/relay/dashboard.js` replaces the
parts that have changed, and leaves the others alone.
"""
