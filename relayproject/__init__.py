"""The roof: settings, the task queue, addresses, processes, and what looks at everything at once.

Nothing is imported here: the stack reads `relayproject.processes` before there is anything to configure
Django and Celery with.
"""
