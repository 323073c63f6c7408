"""What can be said of one connection: what it hears, in order, cut into pieces by ticks."""
