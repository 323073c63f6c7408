"""Collections as the web reads them: by Django's client, which has a short patience, and times in UTC."""

from typing import Any

from django.db import connections
from pymongo.collection import Collection


def collection(name: str) -> Collection[dict[str, Any]]:
    """Of the messages database. It may raise `pymongo.errors.PyMongoError`."""
    connection: Any = connections["messages"]
    connection.ensure_connection()
    options = connection.database.codec_options.with_options(tz_aware=True)
    found: Collection[dict[str, Any]] = connection.database.get_collection(name, codec_options=options)
    return found
