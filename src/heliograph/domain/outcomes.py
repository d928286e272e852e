"""What providers answer, as closed sums: values that are returned, never raised."""

from dataclasses import dataclass, field
from enum import StrEnum

from heliograph.domain.reasons import Reason


class DedupeClass(StrEnum):
    """What a provider offers against doubling an ambiguous send."""

    #: Repeating with the same key is safe inside the key's lifetime.
    KEY = "key"
    #: Past messages can be listed and matched by our id; absence after settling is proof.
    LOOKUP = "lookup"
    #: Our id comes back by webhook; absence proves nothing.
    ECHO = "echo"
    #: Nothing: only a person can decide.
    NONE = "none"


class ReceiptLevel(StrEnum):
    """What a receipt claims. SENT: handed to the network behind the provider."""

    ACCEPTED = "accepted"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Taken by the provider; `provider_id` is its id of the message.

    `rest`: seconds for which the answer's headers ask to send nothing more on the channel, because its allowance is nearly used up.
    """

    provider_id: str
    rest: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """Certainly not taken. `code` is the provider's own; `detail` is untrusted text."""

    reason: Reason
    code: str = ""
    detail: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Deferred:
    """Certainly not taken, and the provider or the network asks to come back. `after` in seconds, if told.

    `readdress` is a conversation's new id where the provider says that it has moved. `lane`: it says that it speaks of this
    conversation alone, so that the channel's others need not wait.
    """

    reason: Reason
    after: float | None = None
    code: str = ""
    detail: str = field(default="", repr=False)
    readdress: str | None = None
    lane: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """May have been taken."""

    reason: Reason
    code: str = ""
    detail: str = field(default="", repr=False)


SendResult = Accepted | Refused | Deferred | Unknown


@dataclass(frozen=True, slots=True)
class Valid:
    """Credentials accepted. `identity` names whose they are, to be pinned and compared.

    `secret` is the webhook secret that the provider made up itself while registering one; "" everywhere else.
    """

    identity: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Invalid:
    """A definite answer that the credentials do not work (401 class) or are another's."""

    reason: Reason
    code: str = ""
    detail: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """Silence, 5xx, throttling: says nothing about the credentials."""

    reason: Reason
    code: str = ""
    detail: str = field(default="", repr=False)


CheckResult = Valid | Invalid | Inconclusive


@dataclass(frozen=True, slots=True)
class Found:
    """The provider holds a message with our key."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The provider listed everything since the attempt and our key was not there."""


FindResult = Found | Absent | Inconclusive
