"""The ASGI application, for uvicorn or any other ASGI server."""

import gc
import os

from django.core.asgi import get_asgi_application
from django.urls import get_resolver

from relaybase.postgres.base import DatabaseWrapper
from relayproject.observing import extras

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relayproject.settings")

trace = extras.begin_traces()  # Adds a middleware, so before the application reads which there are.

# More requests than these at once are rare, and PostgreSQL has a hundred connections for all.
DatabaseWrapper.most_kept = 8

bare = get_asgi_application()

from access_app.remembering import Remembered  # noqa: E402  The apps have to be loaded before.
from relayproject import hot  # noqa: E402

remembered = Remembered()
django = hot.admitting(bare, remembered)
application = hot.before(django, remembered, trace)

# What has been made up to here stays. A search for circles through all of it would hold up every
# sixtieth page of 1,000 messages, for three times as long as the page takes.
get_resolver().url_patterns  # noqa: B018  With this everything is loaded.
gc.collect()
gc.freeze()
