"""What the readers of one process decide who follow what is stored: where to look, what to read, how far."""
