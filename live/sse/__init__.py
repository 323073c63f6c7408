"""Server-sent events: what is written (`frames`), and one connection (`stream`)."""
