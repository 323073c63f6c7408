"""Requests and answers: parameters, cursors, bodies, addresses, limits, problems, their description."""
