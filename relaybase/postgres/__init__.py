"""PostgreSQL for Django, with connections that outlive a request (`relaybase.postgres.base`)."""
