"""Redis below the client: sockets, appending, its clock, how a demoted server is left."""
