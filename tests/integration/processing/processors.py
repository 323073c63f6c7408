"""Real processor processes, one after another."""

from pathlib import Path
from typing import ClassVar

from tests.integration.forked import Forked


class Processor(Forked):
    """A processor of shard 0. `rule`: which one of `forked_processor` it breaks."""

    PROGRAM: ClassVar = "tests.integration.processing.forked_processor"

    def __init__(self, log: Path, rule: str = "careful", shard: int = 0, **environment: str) -> None:
        super().__init__(log, rule, **{"SHARD": str(shard), "RELAY_PROCESSOR_SHARDS": "1", **environment})
