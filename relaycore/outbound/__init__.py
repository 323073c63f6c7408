"""What may be connected to from here, and what a request and its answer may have in them."""
