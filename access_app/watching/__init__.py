"""Who watches from a browser, which sends no token: with a ticket, or logged in."""
