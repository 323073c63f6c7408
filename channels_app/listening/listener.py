"""Takes a seat of a partition, and listens in it until it is told to stop."""

import logging
from collections.abc import Callable

from django.conf import settings

from channels_app.listening.loop import Listener
from channels_app.listening.recording.record import Record
from channels_app.listening.recording.roster import Roster
from channels_app.listening.ticker import highest_term
from leases_app import deployment, endless, layout
from leases_app.leasing import Contender, prefers_elsewhere
from relaybase import fitness, logs
from relaybase.connections import shared_redis
from relaycore.capturing.capture import Capture
from relaycore.layout import Layout

log = logging.getLogger(__name__)


def listen(
    partition: int, stopping: Callable[[], bool], task_id: str = "", *, elsewhere: bool = False
) -> bool:
    """Listen to one partition until `stopping()`; False at once if it has listeners enough.

    `elsewhere`: leave it to another host, if there is one and this one has a listener of it.

    Raises:
        UnfitServer: Redis is set up so that it would lose what it was given, or is divided otherwise.
        Disconnected: Redis does not answer, so nothing can be heard.
    """
    with logs.about(partition=partition, task_id=task_id):
        fitness.require_redis(shared_redis())
        if elsewhere and prefers_elsewhere(partition):
            return False
        own, term = layout.begin(partition), highest_term(partition)
        return _listen(partition, own, stopping, Contender(task_id), term)


def _listen(
    partition: int, own: Layout, stopping: Callable[[], bool], contender: Contender, term: int
) -> bool:
    seat = contender.take_seat(partition, settings.RELAY_LISTENERS_PER_PARTITION)
    if seat is None:
        return False
    with Roster(partition) as roster, endless.rare_collections():
        record = Record(roster)
        listener = Listener(partition, own, contender, record, _capture(partition), term)
        with endless.under(seat, f"listening in seat {seat.slot}", listener.condition) as presence:
            record.report_given_up = presence.give_up
            try:
                listener.run(lambda: stopping() or presence.lost)
            finally:
                listener.close()
            log.info("partition %d: %d messages appended", partition, listener.appended)
    return True


def _capture(partition: int) -> Capture:
    return Capture(
        deployment.tick_channel(partition).encode(),
        deployment.control_channel(partition).encode(),
        deployment.seal_key(partition),
        settings.RELAY_MESSAGE_MAX_BYTES,
    )
