"""docs/settings.md names every setting, and no other."""

import re
from pathlib import Path

NAME = r"(?:RELAY|CELERY|SENTRY)_[A-Z_]+|[A-Z]+_URL"
ROOT = Path(__file__).parents[2]
SOURCES = ("relayproject/settings.py", "relaybase/whereabouts.py", "relayproject/processes.py")
READ_ELSEWHERE = {"RELAY_DATA_DIR", "RELAY_OPERATOR_USER", "RELAY_OPERATOR_PASSWORD", "RELAY_OPERATOR_TOKEN"}


def test_every_setting_is_explained_and_every_explanation_is_of_a_setting() -> None:
    sources = [
        ROOT / name
        for name in ("relayproject/settings.py", "relaybase/whereabouts.py", "relayproject/processes.py")
    ]
    read = {name for source in sources for name in re.findall(rf'"({NAME})"', source.read_text())}
    explained = set(re.findall(rf"`({NAME})`", (ROOT / "docs/settings.md").read_text()))
    assert explained == read | READ_ELSEWHERE
