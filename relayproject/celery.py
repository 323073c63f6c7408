"""The Celery application.

Listener, writer, sender and processor tasks are endless. What that asks of Celery:

* acknowledged early: an acknowledgement at the end would never come, and after the
  visibility timeout the broker would start a second copy of what still runs;
* no prefetching: a message that waits behind an endless task is stuck, and is given
  out again after the visibility timeout;
  For RabbitMQ, where a worker always prefetches, see `relayproject.rabbitmq`;
* stopped by a flag that the loops look at (`relaybase.stopping`): a warm shutdown
  waits for tasks to end, so they must.
"""

import gc
import logging
import os
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.db import close_old_connections, connections
from kombu.entity import Queue
from kombu.transport import redis as redis_transport
from kombu.transport import virtual

from relaybase.proposing import propose
from relaybase.queues import DEFAULT, PROPOSE, QUEUES
from relaybase.redis.primary import BrokerConnection, EncryptedBrokerConnection, WrongServer
from relayproject import rabbitmq
from relayproject.observing import extras
from relayproject.processes import ENDLESS
from relayproject.working import ending, going_on

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relayproject.settings")

log = logging.getLogger(__name__)

_REDIS = {
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "visibility_timeout": 3600,
}

_KEPT_SECONDS = 300


class _Application(Celery):  # type: ignore[misc]  # Celery has no types.
    """Celery's own, which reads its settings before it sends anything.

    Stock Celery 5.7.0 recurses without end where sending a task is the first thing that it is asked for, as
    in a web process: it makes its routes, which ask for the settings, which are read, which makes the routes.
    """

    def send_task(self, *args: Any, **kwargs: Any) -> Any:
        """Send a task by its name; those that are imported come here, too."""
        _ = self.conf.task_default_queue
        return super().send_task(*args, **kwargs)


app = _Application("relay")


@app.on_configure.connect
def _configure(sender: Celery, **_: Any) -> None:
    """Not at import: `import relayproject` must work where no server is configured."""
    interval = settings.RELAY_PROPOSE_INTERVAL_SECONDS
    is_rabbitmq = rabbitmq.is_meant(settings.CELERY_BROKER_URL)
    broker: dict[str, Any] = settings.CELERY_BROKER
    options = broker["broker_transport_options"]
    arguments = rabbitmq.QUEUE_ARGUMENTS if is_rabbitmq else None
    sender.conf.update(
        **{**broker, "broker_transport_options": {**({} if is_rabbitmq else _REDIS), **options}},
        **going_on.SETTINGS,
        task_queues=[Queue(name, queue_arguments=arguments) for name in QUEUES],
        task_default_queue=DEFAULT,
        task_create_missing_queues=False,
        task_routes={one.task: {"queue": one.queue} for one in ENDLESS},
        task_ignore_result=True,
        task_acks_late=False,
        task_track_started=True,
        worker_disable_prefetch=not is_rabbitmq,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        CELERY_DB_REUSE_MAX=1_000_000,  # `_look_after_connections` closes what has to be closed.
        worker_send_task_events=True,  # Flower and `celery events` show what runs.
        beat_scheduler="relayproject.beat:Scheduler",
        beat_max_loop_interval=interval,
        beat_schedule={
            "propose": {"task": PROPOSE, "schedule": interval},
        },
        timezone="UTC",
    )


app.autodiscover_tasks()  # Of every installed app.
ending.install(app)
going_on.install(app)


class _QoS(redis_transport.QoS):
    """Survives a broker that is down, or was demoted, while a message is not yet acknowledged.

    Stock kombu 5.7.0 raises AttributeError in the first case, and the worker then stays connected
    to nothing for ever. In the second one it waits for ever: a worker that has its fill of messages
    asks for no more, and so is never refused. What could not be put back or acknowledged comes back by
    the visibility timeout: a proposal that comes late does no harm.
    """

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)
        except WrongServer:
            virtual.QoS.ack(self, delivery_tag)  # It has begun to run: it is no longer waited for.
            raise

    def restore_unacked(self, client: Any = None) -> Any:
        try:
            return super().restore_unacked(client)
        except Exception as exc:
            log.warning("Unacknowledged tasks were not put back, the broker is away: %r", exc)
            return []


redis_transport.Channel.QoS = _QoS
redis_transport.Channel.connection_class = BrokerConnection
redis_transport.Channel.connection_class_ssl = EncryptedBrokerConnection


@signals.celeryd_init.connect
@signals.beat_init.connect
def _keep_connections(**_: Any) -> None:
    """Workers and beat ask PostgreSQL every few seconds: a new connection each time costs more than the rest.

    Not in the settings: the web server's threads come and go, and their connections with them.
    """
    connections.settings["default"] |= {"CONN_MAX_AGE": _KEPT_SECONDS, "CONN_HEALTH_CHECKS": True}


@signals.worker_process_init.connect
@signals.beat_init.connect
def _trace(**_: Any) -> None:
    extras.begin_traces()


@signals.worker_process_init.connect
def _keep_what_is_loaded(**_: Any) -> None:
    """What was loaded before a process began is not searched for circles again and again.

    A sender saves 5 % of what it does for a delivery. Nothing is collected before: that would write to all
    the memory that the process shares with the one which has loaded it.
    """
    gc.freeze()


@signals.task_prerun.connect
def _look_after_connections(**_: Any) -> None:
    close_old_connections()


@signals.worker_ready.connect
def _fill_slots(sender: Any, **_: Any) -> None:
    if rabbitmq.is_meant(settings.CELERY_BROKER_URL):
        rabbitmq.warn_if_old(sender.connection)
    propose()
