"""`manage.py write`: a writer in the foreground."""

from messages_app.writing.writer import write
from relayproject.foreground import LoopCommand


class Command(LoopCommand):
    """The same loop as the Celery task."""

    help = "Write one partition's stream into MongoDB in the foreground, until Ctrl-C."
    loop = staticmethod(write)
