"""The messages over HTTP, for programs and for people."""
