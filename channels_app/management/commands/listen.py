"""`manage.py listen`: a listener in the foreground."""

from channels_app.listening.listener import listen
from relayproject.foreground import LoopCommand


class Command(LoopCommand):
    """The same loop as the Celery task."""

    help = "Listen to one partition in the foreground, until Ctrl-C."
    loop = staticmethod(listen)
