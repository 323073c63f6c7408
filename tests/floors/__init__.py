"""The floors of the house: which room stands on which, read from the imports.

`table` says what is allowed, `imports` reads what there is, `rules` compares the two, `picture` draws it.
`tests/unit/test_architecture.py` holds the rules. `python -m tests.floors` writes `docs/floors.md` anew.

Standard library only: nothing that is looked at is imported, so neither settings nor servers are needed.
"""
