"""Which channels a listener has subscribed, and which of them it hears."""

from channels_app.listening.roster import Roster, Wanted
from channels_app.listening.subscription import Subscription
from relaycore.capture import Capture


class Coverage:
    """Follows the channel table, and tells it what is heard.

    A channel is heard once Redis has confirmed its subscription and a tick came after that.
    Only a leader says so to the table.
    """

    def __init__(self, roster: Roster, subscription: Subscription, capture: Capture) -> None:
        self._roster = roster
        self._subscription = subscription
        self._capture = capture
        self._rows: dict[bytes, int] = {}
        self._confirmed: set[bytes] = set()
        self._heard: set[bytes] = set()

    @property
    def is_empty(self) -> bool:
        """Whether no channel is wanted."""
        return not self._rows

    @property
    def hears(self) -> bool:
        """Whether any channel is heard."""
        return bool(self._heard)

    @property
    def heard_rows(self) -> list[int]:
        """The rows of the channels that are heard."""
        return [self._rows[channel] for channel in self._heard]

    def follow(self) -> None:
        """Take over what has changed in the table."""
        added: list[bytes] = []
        removed: list[bytes] = []
        for change in self._roster.take():
            if isinstance(change, Wanted):
                self._capture.want(change.channel, change.policy)
                if self._rows.get(change.channel) != change.row:
                    self._rows[change.channel] = change.row
                    self._heard.discard(change.channel)
                    added.append(change.channel)
            elif self._rows.pop(change.channel, None) is not None:
                if added:
                    self._flush(added, removed)
                self._capture.let_go(change.channel)
                self._heard.discard(change.channel)
                self._confirmed.discard(change.channel)
                removed.append(change.channel)
        self._flush(added, removed)

    def subscribed(self, channel: bytes) -> None:
        """Redis has confirmed a subscription."""
        self._confirmed.add(channel)

    def ticked(self, *, leads: bool) -> None:
        """A tick was heard: what was confirmed before it is heard from here on."""
        new = (self._confirmed - self._heard) & self._rows.keys()
        self._confirmed.clear()
        if new:
            self._heard |= new
            if leads:
                self._roster.report((self._rows[channel] for channel in new), heard=True)

    def doubt(self) -> None:
        """No ticks come: nothing is known to be heard until the next one, which shows that all is well."""
        self._roster.report(self.heard_rows, heard=False)
        self._confirmed |= self._heard
        self._heard.clear()

    def forget(self) -> None:
        """A new connection has no subscription yet."""
        self._heard.clear()
        self._confirmed.clear()

    def _flush(self, added: list[bytes], removed: list[bytes]) -> None:
        """Send both lists. What was removed came first: an addition ends the run of removals."""
        if removed:
            self._subscription.remove(removed)
            removed.clear()
        if added:
            self._subscription.add(added)
            added.clear()
