"""Requests and answers: parameters, cursors, bodies, addresses, limits, problems, their description.

`hot/` answers what is called once per message, before Django is asked.
"""
