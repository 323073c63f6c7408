"""All messages that a search finds, as bytes of a file, a page at a time.

Constant memory: one page is held. Each page is a question of its own, so that an export
may take longer than any one question to MongoDB may. What arrives after the beginning is
not in it, so it comes to an end.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from messages_app.searching import watermark
from messages_app.searching.history import MOST_PER_PAGE, Document, Page, Search, at, read
from messages_app.searching.rows import COLUMNS, cells, row

FilePart = tuple[int, bytes, str]
"""How many messages were read for it, the bytes of those that are wanted, and the last position."""


def ndjson(documents: list[Document]) -> bytes:
    """One JSON object a line."""
    return "".join(json.dumps(row(found), ensure_ascii=False) + "\n" for found in documents).encode()


def comma_separated(documents: list[Document]) -> bytes:
    """Lines as RFC 4180 has them, without the one with the names."""
    lines = io.StringIO()
    csv.DictWriter(lines, COLUMNS).writerows(map(cells, documents))
    return lines.getvalue().encode()


_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""With these a formula begins, to a spreadsheet (OWASP, CSV Injection)."""


def for_spreadsheets(documents: list[Document]) -> bytes:
    """The same, with a ' before what a spreadsheet would work out instead of showing it."""
    lines = io.StringIO()
    csv.DictWriter(lines, COLUMNS).writerows(map(_guarded, map(cells, documents)))
    return lines.getvalue().encode()


def _guarded(unguarded: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULAS) else cell
        for name, cell in unguarded.items()
    }


FORMATS: Final[Mapping[str, Callable[[list[Document]], bytes]]] = {"ndjson": ndjson, "csv": comma_separated}

BEGINNINGS: Final = {"ndjson": b"", "csv": (",".join(COLUMNS) + "\r\n").encode()}


def as_file(search: Search, format: str, *, spreadsheet: bool = False) -> Iterator[FilePart]:
    """The file, a page at a time. `spreadsheet`: CSV whose cells a spreadsheet does not take for formulas.

    Raises:
        pymongo.errors.PyMongoError: MongoDB cannot answer; perhaps in the middle of the file.
        Disconnected, UnfitServer: as `history.read` does; without a watermark there is no file.
    """
    contains = search.contains
    # A text that is rare would be looked for in one page until its time is up. So all are read.
    search = replace(search, contains=None, until=search.until or at(datetime.now(UTC)))
    page: Page | None = None
    write = for_spreadsheets if spreadsheet else FORMATS[format]
    yield 0, BEGINNINGS[format], ""
    while page is None or page.next is not None:
        page = read(search, limit=MOST_PER_PAGE, cursor=page.next if page else None)
        if page.watermark is None:
            raise watermark.unknown()
        wanted = [found for found in page.messages if contains is None or _contains(found, contains)]
        last = page.messages[-1]["position"] if page.messages else ""
        yield len(page.messages), write(wanted), last


def _contains(document: Document, text: str) -> bool:
    return isinstance(document["message"], str) and text in document["message"]
