"""What whoever holds a lease may be sure of."""
