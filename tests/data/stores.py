"""What a deployment keeps in its three servers, as files that show in a diff, and back again.

============  ==================================================================
`postgres.sql`  tables and rows, as `pg_dump` writes them
`mongo.ndjson`  a line for each collection, with its indexes, and for each document
`redis.aof`     the commands that make every key, as an append-only file has them
============  ==================================================================
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import redis
from bson import json_util
from pymongo.database import Database

from relaystack.servers.binaries import postgres_programs

POSTGRES, MONGO, REDIS = "postgres.sql", "mongo.ndjson", "redis.aof"

_EXACT = json_util.CANONICAL_JSON_OPTIONS
Scrub = Callable[[bytes], bytes]
"""Takes out what says on which machine it was. Messages are left as they are."""

# --- to files ------------------------------------------------------------------------------


def save_postgres(url: str, folder: Path, scrub: Scrub) -> None:
    """One INSERT for each row: what loads it needs no psql."""
    dump = [postgres_programs() / "pg_dump", "--inserts", "--no-owner", "--no-privileges", url]
    said = subprocess.run(dump, check=True, capture_output=True).stdout
    # Two commands of psql, with a key that is another one each time.
    said = re.sub(rb"^\\(un)?restrict .*\n\n?", b"", said, flags=re.MULTILINE)
    (folder / POSTGRES).write_bytes(scrub(said))


def save_mongo(database: Database[Any], folder: Path) -> None:
    """Extended JSON in its canonical form, which keeps every type."""
    lines: list[dict[str, Any]] = []
    for name in sorted(database.list_collection_names()):
        indexes = [dict(index) for index in database[name].list_indexes()]
        lines.append({"collection": name, "indexes": [index for index in indexes if index["name"] != "_id_"]})
        lines += [{"collection": name, "document": found} for found in database[name].find().sort("_id")]
    text = "".join(json_util.dumps(line, json_options=_EXACT, ensure_ascii=False) + "\n" for line in lines)
    (folder / MONGO).write_text(text)


def save_redis(client: Any, data: Path, folder: Path, scrub: Scrub) -> None:
    """Have the server write its append-only file anew, as commands, and take that. `data`: its directory."""
    client.config_set("aof-use-rdb-preamble", "no")
    client.bgrewriteaof()
    while client.info("persistence")["aof_rewrite_in_progress"]:
        time.sleep(0.05)
    [written] = (data / "appendonlydir").glob("*.base.aof")
    found = [
        command if command[0] == b"XADD" else list(map(scrub, command))
        for command in _commands(written.read_bytes())
    ]
    (folder / REDIS).write_bytes(b"".join(map(_packed, found)))


# --- and back --------------------------------------------------------------------------------


def load_postgres(folder: Path, url: str) -> None:
    """Into a database that is empty."""
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute((folder / POSTGRES).read_text())
    finally:
        connection.close()


def load_mongo(folder: Path, database: Database[Any]) -> None:
    """Into a database that is empty."""
    for name, lines in documents_and_indexes(folder).items():
        documents, indexes = lines
        database.create_collection(name)
        if documents:
            database[name].insert_many(documents)
        if indexes:
            database.command("createIndexes", name, indexes=indexes)


def documents_and_indexes(folder: Path) -> dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """By collection."""
    found: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {}
    # Not `splitlines`, which takes more for the end of a line than what ends one here.
    for line in (folder / MONGO).read_text().removesuffix("\n").split("\n"):
        read = json_util.loads(line, json_options=_EXACT)
        documents, indexes = found.setdefault(read["collection"], ([], []))
        if "document" in read:
            documents.append(read["document"])
        else:
            indexes += read["indexes"]
    return found


def load_redis(folder: Path, client: redis.Redis) -> None:
    """Into the database of the client, whichever number it has. What had an end keeps it."""
    with client.pipeline(transaction=False) as pipeline:
        for command in commands(folder):
            if command[0].upper() != b"SELECT":
                pipeline.execute_command(*command)
        pipeline.execute()


def commands(folder: Path) -> Iterator[list[bytes]]:
    """The commands that make every key: the name, the key, what else there is."""
    return _commands((folder / REDIS).read_bytes())


def _commands(data: bytes) -> Iterator[list[bytes]]:
    at = 0

    def number(sign: bytes) -> int:
        nonlocal at
        end = data.index(b"\r\n", at)
        assert data[at : at + 1] == sign, f"no {sign!r} at byte {at}"
        found, at = int(data[at + 1 : end]), end + 2
        return found

    while at < len(data):
        command = []
        for _ in range(number(b"*")):
            size = number(b"$")
            command.append(data[at : at + size])
            at += size + 2
        yield command


def _packed(command: list[bytes]) -> bytes:
    words = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in command)
    return b"*%d\r\n%b" % (len(command), words)


def save_json(path: Path, what: Any) -> None:
    """For people as well."""
    path.write_text(json.dumps(what, indent=1, ensure_ascii=False) + "\n")
