"""The ASGI application, for uvicorn or any other ASGI server."""

import os

from django.core.asgi import get_asgi_application

from relayproject.bodies import BodyLimit
from relayproject.postgres.base import DatabaseWrapper

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relayproject.settings")

# More requests than these at once are rare, and PostgreSQL has a hundred connections for all.
DatabaseWrapper.most_kept = 8
application = BodyLimit(get_asgi_application())
