"""Who leads: leases on partitions, in PostgreSQL.

A lease is a term. Its row has a holder and an epoch, and the epoch only grows: one
conditional UPDATE takes the lease and counts the epoch up, with the database's clock,
so of any number of contenders exactly one wins, and clocks of hosts do not matter.
(Reading first and writing then made 480 double owners on 50 rows.)

What is authoritative is the row, and nothing else. A holder renews it by a heartbeat
in a thread of its own (`heartbeat`), so that slow work never lets it lapse. A holder
that cannot renew doubts itself in this order:

* the row says somebody else, or a later epoch: the term is over (`lost`), at once;
* the row is gone, of an earlier epoch, or has fewer `writes` than were acknowledged: PostgreSQL went
  back (it was restored, or a copy that lagged has taken over). Nobody else need have the lease, so the
  term is written again, at once. Who leads the listeners claims another term instead, since it has to
  say again what was forgotten;
* PostgreSQL does not answer: the term is *unconfirmed*. Nobody can take it over
  either, so the work goes on. What needs one owner (status, leadership, trimming) is
  written under the condition that the row still has this epoch, so it waits as well.

An epoch must not come twice, and PostgreSQL alone cannot see to that: it may go back. So the highest
one is kept in Redis as well (of those that ticked, of those that wrote), and each claim says above
what its epoch has to be. A lease of an earlier epoch than its contender knows of is free to who has
found that its holder is gone, however alive it looks.

Captured data is never fenced, decisions are: a holder that slept through its term may
still append what it heard, since the deduplication key makes a second copy harmless.

A lease says that its holder lives, and not that it does its work. For that each renewal
carries a condition: how long ago a leader last proved that it hears (`heard_at`, good for
`PROOF_SECONDS`), what waits in its memory, and what it cannot do. All that is shown to be
well follows from the proof. A claim keeps it, so that a hand-over within that time shows
nothing. Heartbeats and proofs that lie in the future, since the clock of PostgreSQL was
ahead when they were written, keep nobody out and prove nothing.

Life cycle: `claim` → `renew` … → `release`, or lapse after `RELAY_LEASE_TTL_SECONDS`
without a renewal. `Held` is what the proposals look at.
"""
