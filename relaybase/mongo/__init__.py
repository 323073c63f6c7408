"""`django_mongodb_backend`, with sorted queries that use an index, and migrations that can be run again.

The stock compiler puts `{"$addFields": {"position": "$position"}}` before each
`$sort`. MongoDB then no longer knows that the field is the indexed one and sorts the
whole collection (0.68 s against 0.005 s at a million documents). Such a stage says
nothing, so it is left out. `tests/integration/test_history_index.py` holds the plan.
"""
