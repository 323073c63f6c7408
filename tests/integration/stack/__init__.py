"""The one-command stack: real servers, real processes, real signals."""
