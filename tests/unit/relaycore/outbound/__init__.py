"""What may be connected to from here."""
