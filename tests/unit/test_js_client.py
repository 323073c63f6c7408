"""clients/js: its own tests, its types, and that what `npm pack` makes of it works alone."""

import json
import subprocess
from pathlib import Path

import pytest

from relay_client import __version__
from tests.node import NODE, NPM, ROOT, environment, installed

CLIENT = ROOT / "clients" / "js"
WEBHOOKS = {"src/webhooks.js", "src/webhooks.d.ts"}


def run(*argv: str, cwd: Path) -> str:
    done = subprocess.run(
        argv, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def client() -> Path:
    return installed(CLIENT)


def test_its_own_tests_pass(client: Path) -> None:
    said = run(NODE, "--test", "--test-reporter=tap", "tests/*.test.js", cwd=client)
    assert "\n# pass 0\n" not in said
    assert "\n# fail 0\n" in said
    assert "\n# skipped 0\n" in said


def test_its_types_take_what_is_meant_and_refuse_the_rest(client: Path) -> None:
    assert run(NODE, "node_modules/typescript/bin/tsc", "-p", ".", cwd=client) == ""


def test_what_is_packed_works_alone(client: Path, tmp_path: Path) -> None:
    (packed,) = json.loads(run(*NPM, "pack", "--json", "--pack-destination", str(tmp_path), cwd=client))
    names = {file["path"] for file in packed["files"]}
    assert names == {"LICENSE", "README.md", "package.json", "src/index.js", "src/index.d.ts", *WEBHOOKS}
    assert packed["version"] == __version__
    package = json.loads((client / "package.json").read_text())
    assert "dependencies" not in package

    room = tmp_path / "alone"
    room.mkdir()
    (room / "package.json").write_text('{"type": "module"}')
    run(*NPM, "install", "--offline", "--no-audit", "--no-fund", str(tmp_path / packed["filename"]), cwd=room)
    script = room / "use.js"
    script.write_text(
        "import { live, LiveError } from 'relay-live'; import { verify } from 'relay-live/webhooks';"
        "console.log(typeof live, LiveError.name, typeof verify);"
    )
    assert run(NODE, str(script), cwd=room) == "function LiveError function\n"


def test_the_admin_has_the_same_script() -> None:
    served = ROOT / "relayproject" / "static" / "relay" / "relay-live.js"
    assert served.read_text() == (CLIENT / "src" / "index.js").read_text()
