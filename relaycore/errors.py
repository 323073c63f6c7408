"""Everything Relay itself can raise, as one tree.

    RelayError
    ├── BadChannelName     the name cannot be relayed; the text says why
    ├── BadPolicy          the deduplication policy is not one of the three
    ├── BadGrants          the rights of a token cannot be meant; the text says why
    ├── BadFilter          a filter policy cannot be meant; the text says where and why
    ├── BadRule            a rule cannot be meant; the text says which setting, and what to do
    ├── Unusable           a rule can do nothing with a message; the text says why, without its values
    ├── BadSecret          a secret to sign with cannot be one; the text says why, and not which
    ├── ChannelExists      the channel is relayed already
    ├── ChannelUnknown     no such channel is relayed
    ├── BadBody            what came is not in the form that it announces; the text says why
    ├── BadMessage         what is to be published is no message; the text says why
    │   └── MessageTooLarge  its payload has more bytes than one may have
    ├── TooMuchAtOnce      a request brings more than one may
    ├── Looped             webhooks have brought this message back too often
    ├── NoReplica          what is to be confirmed by a replica of Redis, which has none
    ├── NotTaken           no messages are taken now; try again
    ├── NotGiven           no messages are handed out now: there is no room for the answer; try again
    ├── TooManyWatch       no more clients may watch here now; try again
    ├── BadUrl             where webhooks are to go is no URL that can be used; the text says what to do
    ├── BadHeaders         what webhooks are to carry are no headers that can be set; the text says why
    ├── BadBroadcast       what is to go to every socket cannot go under this name; the text says why
    ├── BadEventId         what a live client sends as its last id is none; the text says what to do
    ├── BadSubscription    a subscription cannot be meant as it is asked for; the text says why
    ├── SubscriptionExists there is one of this name already
    ├── SubscriptionUnknown  no such subscription
    ├── SubscriptionChanged  somebody has changed it since it was looked at
    ├── WrongMode          a subscription of this mode has no such thing
    ├── DeliveryUnknown    no such message is on its way, or dead
    ├── ChannelHasSubscriptions  a channel is not removed while somebody reads it
    ├── CursorMoved        what moves a cursor is from before a seek, goes back, or past what was fetched
    ├── ChannelChanged     somebody has changed it since it was looked at
    ├── BadEndpoint        an endpoint cannot be meant as it is asked for; the text says why
    ├── EndpointExists     there is one of this name, or of this owner and URL, already
    ├── EndpointUnknown    no such endpoint
    ├── EndpointChanged    somebody has changed it since it was looked at
    ├── EndpointInUse      an endpoint is not removed while subscriptions hang on it
    ├── NotConfirmed       nothing is sent to an endpoint before it is confirmed
    ├── NotTried           an endpoint is not tried out now, since too many are
    ├── ChallengeUnknown   what is shown as a challenge is none that is open
    ├── TooManyAsked       endpoints, or one host, were asked too often for a confirmation
    ├── NoEncryptionKey    there is nothing to encrypt a secret with
    ├── CannotDecrypt      the key is lacking that a secret was encrypted with
    ├── BadEntry           a stream entry is not in the documented format
    ├── NotRetried         what was set aside cannot be put back; the text says why
    ├── LeaseLost          somebody else holds the lease, or it was let lapse
    │   └── LeaseWentBack  the lease knows less than its holder: PostgreSQL went back
    ├── Disconnected       a server connection ended or could not be made
    ├── SearchTooSlow      what was looked for was not found in time
    ├── TooManyGuesses     passwords were guessed too often, or too many are being checked
    └── UnfitServer        a server is set up in a way that loses messages

Those of rules and alerts beside BadRule and Unusable stand in `relaycore.alerting.errors`, and of alerts that
are known by labels in `relaycore.alerting.labelled.refused`. The HTTP answers
for them stand in one table: `relaybase.http.problems`.
"""


class RelayError(Exception):
    """Base of every error that Relay raises on purpose."""


class BadChannelName(RelayError, ValueError):
    """A channel name that cannot or must not be relayed."""


class BadPolicy(RelayError, ValueError):
    """A deduplication policy that is not `content`, `every` or `{"field": name}`."""


class BadGrants(RelayError, ValueError):
    """Rights of a token that are not in the form of `relaycore.rights`."""


class BadFilter(RelayError, ValueError):
    """A filter policy that is not in the form of `relaycore.filtering`."""


class BadRule(RelayError, ValueError):
    """A rule whose kind or settings are not in the form of `relaycore.alerting`."""


class Unusable(RelayError, ValueError):
    """A message that a rule can do nothing with. None of its values are in the text."""


class BadSecret(RelayError, ValueError):
    """A secret of an endpoint that is in none of the forms of Standard Webhooks. It is not in the text."""


class ChannelExists(RelayError):
    """A channel that was to be started is in the table already."""


class ChannelUnknown(RelayError, LookupError):
    """A channel that is not in the table."""


class BadBody(RelayError, ValueError):
    """The body of a request is not in the form that its media type says."""


class BadMessage(RelayError, ValueError):
    """What is to be published cannot be a message as it is. `index`: which of several, if known."""

    def __init__(self, text: str, index: int | None = None) -> None:
        super().__init__(text)
        self.index = index


class BadEventId(RelayError, ValueError):
    """What a live client was given last, as it says, is not in the form of `relaycore.live.ids`."""


class BadBroadcast(RelayError, ValueError):
    """A channel cannot go to every socket by an event of this name, or is not public."""


class BadUrl(RelayError, ValueError):
    """Where webhooks are to go is no URL that can be used, or one that may be read in two ways."""


class BadHeaders(RelayError, ValueError):
    """Headers that cannot be sent with a webhook, or not be chosen by who owns the endpoint."""


class MessageTooLarge(BadMessage):
    """A payload has more bytes than one may have."""


class TooMuchAtOnce(RelayError, ValueError):
    """A request brings more messages, or more bytes once it is unpacked, than one may."""


class Looped(RelayError):
    """Webhooks of Relay have brought a message back too often (`relaycore.outbound.hops`)."""


class NoReplica(RelayError, ValueError):
    """A replica of Redis is to confirm something, and there is none."""


class NotTaken(RelayError):
    """Messages are not taken now, since there is no room for them or a server refuses them. Try again."""


class NotGiven(RelayError):
    """Messages are not handed out now, since there is no room for the answer. Try again."""


class TooManyWatch(RelayError):
    """As many clients watch as may, in this process or with this token."""


class BadSubscription(RelayError, ValueError):
    """A subscription, or what is asked of it, that cannot be meant."""


class SubscriptionExists(RelayError):
    """A subscription that was to be made is there already."""


class SubscriptionUnknown(RelayError, LookupError):
    """A subscription that is not there."""


class SubscriptionChanged(RelayError):
    """A subscription that is not what it was when whoever wants to change it looked at it."""


class WrongMode(RelayError):
    """What is asked of a subscription is not there in its mode."""


class DeliveryUnknown(RelayError, LookupError):
    """A message that is neither on its way nor dead, for this subscription."""


class ChannelHasSubscriptions(RelayError):
    """A channel that was to be removed, and that somebody reads."""


class CursorMoved(RelayError):
    """A cursor is not where whoever moves it takes it to be.

    position, generation: where it is
    """

    def __init__(self, position: str, generation: int) -> None:
        super().__init__("The cursor is not where this commit takes it to be. Fetch again.")
        self.position = position
        self.generation = generation


class ChannelChanged(RelayError):
    """A channel that is not what it was when whoever wants to change it looked at it."""


class BadEndpoint(RelayError, ValueError):
    """An endpoint, or what is asked of it, that cannot be meant."""


class EndpointExists(RelayError):
    """An endpoint that was to be made is there already."""


class EndpointUnknown(RelayError, LookupError):
    """An endpoint that is not there."""


class EndpointChanged(RelayError):
    """An endpoint that is not what it was when whoever wants to change it looked at it."""


class EndpointInUse(RelayError):
    """An endpoint that was to be removed, and that subscriptions are sent to."""


class NotConfirmed(RelayError):
    """Nothing is sent to an endpoint that is not confirmed, or need not be asked for that."""


class NotTried(RelayError):
    """No test message is sent to an endpoint now, since too many wait for what comes of one. Try again."""


class ChallengeUnknown(RelayError, LookupError):
    """A challenge that nobody was sent, that has expired, or that was for another URL of the endpoint."""


class TooManyAsked(RelayError):
    """Confirmations were asked for too often, of a host or by an owner. `seconds`: when to try again."""

    def __init__(self, text: str, seconds: int) -> None:
        super().__init__(text)
        self.seconds = seconds


class NoEncryptionKey(RelayError):
    """A secret is to be kept or read, and `RELAY_ENCRYPTION_KEYS` is not set."""


class CannotDecrypt(RelayError):
    """A secret was encrypted by a key that is not among `RELAY_ENCRYPTION_KEYS`, or is damaged."""


class BadEntry(RelayError, ValueError):
    """A stream entry, or a document in it, that is not in the format of `relaycore.envelope`."""


class NotRetried(RelayError):
    """A message in quarantine that cannot be put back on the stream as it was."""


class LeaseLost(RelayError):
    """The holder of a lease found that the lease is no longer its own."""


class LeaseWentBack(LeaseLost):
    """The lease is gone, or of an earlier state than its holder has written: nobody else need have it."""


class Disconnected(RelayError, ConnectionError):
    """A connection to a server ended, or could not be made. Try again."""


class SearchTooSlow(RelayError):
    """What was looked for has no index, and reading through everything took too long."""


class TooManyGuesses(RelayError):
    """A password is not looked at: there were too many wrong ones, or too many are being checked.

    seconds: when to try again
    """

    def __init__(self, text: str, seconds: int) -> None:
        super().__init__(text)
        self.seconds = seconds


class UnfitServer(RelayError):
    """A server answers, but its settings would lose messages."""


def one_line(exc: BaseException, most: int | None = None) -> str:
    """What an error says, for a log or a page: on one line, at most so many characters, never empty."""
    return " ".join(str(exc).split())[:most] or type(exc).__name__
