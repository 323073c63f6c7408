"""What is decided when messages are taken by HTTP: what a body means, and what is appended when."""
