"""The one-command stack: `python -m relaystack`, which is what `make run` runs.

It starts PostgreSQL, Valkey and MongoDB from wheels (or uses the servers of DATABASE_URL, REDIS_URL and
MONGO_URL), migrates, starts Relay's own programs (`relayproject.processes`), says where everything is,
and keeps it all running until Ctrl-C. It is meant for one machine: to try Relay, to develop, to test. A
deployment has its own supervisor and its own servers; nothing outside this package depends on the stack,
only on its `stack.json`.

Reading order: `__main__` (one start as the operator sees it), `stack` (its steps), `servers` (what is started
first), `running` (how, and what follows), `datadir` (what is kept).

Life cycle. One start at a time has the data directory: it holds `lock`. Every child inherits
`lock.children`, so that after a kill of the supervisor the next start waits until the last child is gone,
and never runs two servers on the same data. On Linux the children of a killed supervisor get a signal at
once; elsewhere they have to be ended by hand, and the next start names them.

Concurrency. One thread and no callbacks: signals set a flag (`running.interrupts`), loops look at it. Servers
come up side by side because starting and waiting are two steps.

Root. PostgreSQL refuses to be root, so root's servers run as `nobody` and own their data directories.

Not here, on purpose: a daemon mode, log shipping, upgrades of the servers' data, more than one host.
Nothing here imports Django or Celery: the stack runs before there is a database, and a broken setting must
not keep it from saying so. Relay's settings import neither, so they are read before anything is started.
"""
