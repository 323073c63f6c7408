"""What a listener knows goes on record in PostgreSQL: who is heard since when, and what was not.

Only the thread of the `roster` writes, one job after another (`jobs`), fenced by the leader's epoch; the loop
never waits for it. `notes` and `statuses` are the statements, `ledger` says in which order, `losses` what
Redis has lost, `record` what is kept of a term. `unheard` and `changeover` record for listeners that are not
there.
"""
