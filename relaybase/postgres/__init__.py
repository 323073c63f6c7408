"""PostgreSQL for Django: connections that outlive a request (`base`), and its clock in queries (`clock`)."""
