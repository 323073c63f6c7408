"""The basement: what every app stands on, and nothing of what any of them does.

It imports `relaycore` and libraries, and nothing above it.

=============  ==================================================================
`keys`         what each Redis key and internal channel is called
`connections`  the clients of Redis and MongoDB; no other module makes one
`redis/`       how sockets are read, how is appended, its clock, how a demoted server is left
`mongo/`       Django's engine for MongoDB, and what its collections have to be like
`postgres/`    Django's engine for PostgreSQL, its clock, and what stands encrypted there
`http/`        requests and answers: parameters, cursors, bodies, limits, problems
`pages/`       what people look at: read-only admin pages, numbers, payloads
`queues`       where tasks wait, and who proposes the endless ones
`proposing`    having proposals made at once
`stopping`     how an endless loop learns that it should end
`background`   work in other threads, and rests that end early
`gathering`    what many ask at once, asked in few questions
`env`          settings from the environment, strictly
`whereabouts`  where the servers are; `address` in `redis/`, `mongo/`, `postgres/` reads their URLs
`fitness`      looking at servers once
`watching`     looking at them while everything runs
`logs`         how logs are written
`journal`      the last warnings and errors, for people
`meters`       what the loops have counted
`rates`        how many messages were stored lately
=============  ==================================================================
"""
