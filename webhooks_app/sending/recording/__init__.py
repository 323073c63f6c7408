"""What a sender writes to PostgreSQL, in its recording thread.

`transaction` writes how far subscriptions have come, and looks at what is due; `rows` writes what has failed;
`seeing` says how endpoints fare, in a transaction of its own; `pause` how long it is until the next one.
"""
