"""PostgreSQL for Django: connections that last (`base`), its clock (`clock`), secrets (`encrypting`)."""
