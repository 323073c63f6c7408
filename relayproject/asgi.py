"""The ASGI application, for uvicorn or any other ASGI server."""

import os

from django.core.asgi import get_asgi_application

from relayproject.bodies import BodyLimit
from relayproject.observing import extras

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relayproject.settings")

extras.begin_traces()  # Adds a middleware, so before the application reads which there are.
application = BodyLimit(get_asgi_application())
