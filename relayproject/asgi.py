"""The ASGI application, for uvicorn or any other ASGI server."""

import os

from django.core.asgi import get_asgi_application

from relayproject.bodies import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relayproject.settings")

application = BodyLimit(get_asgi_application())
