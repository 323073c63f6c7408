"""The roof: settings, the task queue, addresses, processes, and what looks at everything at once.

===============  ==============================================================
`settings`       all of them, from the environment
`processes`      the processes of a deployment, and which queue each one serves
`celery`         the Celery application; `rabbitmq`: with another broker than Redis
`beat`           when what is sent; `proposals`: whether loops are proposed at all
`working/`       that a worker which lives works, and ends when it is to
`tasks`          what concerns channels and messages alike
`asgi`           the web process; `hot`: what it answers before Django; `urls`, `root`
`posting/`       publishing from a shell
`dashboard/`     the admin's home page; `site`: its parts
`observing/`     health, readiness, metrics
`checks`         settings that contradict each other; `migrating`: databases of another version
===============  ==============================================================

Nothing is imported here: the stack reads `relayproject.processes` before there is anything to configure
Django and Celery with.
"""
