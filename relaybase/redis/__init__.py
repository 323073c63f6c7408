"""Redis below the client: how sockets are read, how is appended, how a demoted server is left."""
