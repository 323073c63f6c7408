"""`django_mongodb_backend`, with sorted queries that use an index, and migrations that can be run again.

The stock compiler puts `{"$addFields": {"position": "$position"}}` before each
`$sort`. MongoDB then no longer knows that the field is the indexed one and sorts the
whole collection (0.68 s against 0.005 s at a million documents). Such a stage says
nothing, so it is left out. `tests/integration/test_history_index.py` holds the plan.

Whatever the address says (`readPreference`), Relay asks the primary, and for what a majority has: a copy that
lags shows half of what is stored, and nothing in its answer says so.
"""

from collections.abc import Mapping
from typing import Any, Final

from pymongo import ReadPreference

READING: Final[Mapping[str, Any]] = {
    "read_preference": ReadPreference.PRIMARY,
    "readConcernLevel": "majority",
}
"""Options of every client. They stand above those in the address."""
