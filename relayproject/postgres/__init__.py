"""PostgreSQL for Django, with connections that outlive a request (`relayproject.postgres.base`)."""
