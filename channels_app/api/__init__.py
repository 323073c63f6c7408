"""The channels over HTTP, for programs and for people."""
