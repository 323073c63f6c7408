"""What is decided about an endpoint before anything is sent to it."""
