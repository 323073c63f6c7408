"""Those who receive webhooks with the public libraries of Node.js (`tests/webhook_receivers`)."""

import json
import subprocess
from typing import Any

from tests.node import NODE, ROOT, environment, installed


def receive(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What they make of each of these: `headers`, `body` as base64, `secret`, and whether to `read` it."""
    done = subprocess.run(
        [NODE, "receive.mjs"],
        cwd=installed(ROOT / "tests" / "webhook_receivers"),
        env=environment(),
        input="".join(json.dumps(one) + "\n" for one in asked),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]
