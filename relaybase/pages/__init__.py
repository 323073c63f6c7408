"""Pages for people: read-only admins, numbers and payloads made readable, what browsers may do."""
