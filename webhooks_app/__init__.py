"""PUSHES: endpoints, and what sends to them."""
