"""Every kind of event: an immutable fact of ids, codes and numbers, never text, names or handles."""

from dataclasses import dataclass
from typing import ClassVar

from heliograph.domain import (
    desk_events as desk_events,
    detection_events as detection_events,
    incident_events as incident_events,
    key_events as key_events,
    notice_events as notice_events,
    publication_events as publication_events,
    quarantine_events as quarantine_events,
    release_events as release_events,
    store_events as store_events,
)
from heliograph.domain.event import Event as Event
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import Reason

# --- of a delivery, on its ticket's stream ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReplyQueued(Event):
    """A part of an agent's comment has become our obligation."""

    kind: ClassVar[str] = "reply_queued"
    sentence: ClassVar[str] = "Reply saved, part {part} of {parts}, waiting to be sent."
    part: int
    parts: int


@dataclass(frozen=True, slots=True)
class AttemptStarted(Event):
    """Committed before the provider is called. `version` of the credential is a keyed fingerprint."""

    kind: ClassVar[str] = "attempt_started"
    sentence: ClassVar[str] = "Attempt {attempt} started."
    attempt: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AttemptAccepted(Event):
    """The provider took it."""

    kind: ClassVar[str] = "attempt_accepted"
    sentence: ClassVar[str] = "The provider accepted it at attempt {attempt}."
    attempt: int
    provider_id: str


@dataclass(frozen=True, slots=True)
class AttemptRefused(Event):
    """The provider certainly did not take it, and never will like this."""

    kind: ClassVar[str] = "attempt_refused"
    sentence: ClassVar[str] = "The provider refused it for good at attempt {attempt}."
    attempt: int
    reason: Reason
    code: str


@dataclass(frozen=True, slots=True)
class AttemptDeferred(Event):
    """Certainly not taken; it keeps its place. `spent` is what the retry budget lost: 0 where the fault was not the message's."""

    kind: ClassVar[str] = "attempt_deferred"
    sentence: ClassVar[str] = "Attempt {attempt} did not get through; the reply keeps its place and waits."
    attempt: int
    reason: Reason
    code: str
    ready_at: int
    spent: int


@dataclass(frozen=True, slots=True)
class AttemptUnknown(Event):
    """May have been taken. `settle_at`: when a look-up can prove the outcome; None where none can."""

    kind: ClassVar[str] = "attempt_unknown"
    sentence: ClassVar[str] = "Attempt {attempt} got no answer; the message may have been sent."
    attempt: int
    reason: Reason
    code: str
    settle_at: int | None


@dataclass(frozen=True, slots=True)
class SendFound(Event):
    """Proof that it was taken after all. `how`: "lookup", "echo" or "late_answer"."""

    kind: ClassVar[str] = "send_found"
    sentence: ClassVar[str] = "Proof arrived that the provider has it."
    provider_id: str
    how: str


@dataclass(frozen=True, slots=True)
class SendAbsent(Event):
    """A look-up after the settle time proved that it was not taken."""

    kind: ClassVar[str] = "send_absent"
    sentence: ClassVar[str] = "The provider does not have it; it will be sent again."
    attempt: int
    ready_at: int
    spent: int


@dataclass(frozen=True, slots=True)
class RepeatAllowed(Event):
    """The provider's own key makes repeating safe."""

    kind: ClassVar[str] = "repeat_allowed"
    sentence: ClassVar[str] = "Repeating is safe with this provider; it will be sent again with the same key."
    attempt: int
    ready_at: int
    spent: int


@dataclass(frozen=True, slots=True)
class SettlePostponed(Event):
    """The look-up could not be made; it will be tried again."""

    kind: ClassVar[str] = "settle_postponed"
    sentence: ClassVar[str] = "The provider could not be asked yet whether it has the message."
    settle_at: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class DoubtRaised(Event):
    """The store is an older state or a copy of itself: elsewhere the reply may have been sent since. `settle_at` as in AttemptUnknown."""

    kind: ClassVar[str] = "doubt_raised"
    sentence: ClassVar[str] = "The store was restored or moved; the message may have been sent before that."
    settle_at: int | None


@dataclass(frozen=True, slots=True)
class QuestionRaised(Event):
    """A person must decide; the lane waits. `question` is a member of domain.delivery.Question."""

    kind: ClassVar[str] = "question_raised"
    sentence: ClassVar[str] = "A person must decide what happens with this reply."
    question: str


@dataclass(frozen=True, slots=True)
class Resent(Event):
    """A person, or an account's standing decision, chose to send it again: a new epoch with a new key."""

    kind: ClassVar[str] = "resent"
    sentence: ClassVar[str] = "It was decided to send it again."
    standing: bool


@dataclass(frozen=True, slots=True)
class MarkedSent(Event):
    """A person, or a standing decision, chose to treat it as sent. The mark stays visible."""

    kind: ClassVar[str] = "marked_sent"
    sentence: ClassVar[str] = "It was decided to treat it as sent."
    standing: bool


@dataclass(frozen=True, slots=True)
class ReplyCancelled(Event):
    """A person chose not to send it."""

    kind: ClassVar[str] = "reply_cancelled"
    sentence: ClassVar[str] = "It was decided not to send it."


@dataclass(frozen=True, slots=True)
class ReceiptReceived(Event):
    """What the provider said later about a message of ours."""

    kind: ClassVar[str] = "receipt_received"
    sentence: ClassVar[str] = "The provider reports: {level}."
    level: ReceiptLevel
    provider_id: str


@dataclass(frozen=True, slots=True)
class ReceiptFailed(Event):
    """Accepted, and later finally refused for the message's or the contact's own fault."""

    kind: ClassVar[str] = "receipt_failed"
    sentence: ClassVar[str] = "The provider accepted it and later failed to deliver it."
    reason: Reason
    code: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class ReceiptReturned(Event):
    """Accepted, and later finally refused for a fault that is not its own: it takes its place again, not before `ready_at`.

    `spent` is 1 where the provider did not hand back what it was given later, so that the message may be at fault after all.
    """

    kind: ClassVar[str] = "receipt_returned"
    sentence: ClassVar[str] = "The provider accepted it and later handed it back; it waits to be sent again."
    reason: Reason
    code: str
    provider_id: str
    ready_at: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class ReceiptStale(Event):
    """A receipt about an earlier epoch of the delivery, or one that is not final: noted, without effect."""

    kind: ClassVar[str] = "receipt_stale"
    sentence: ClassVar[str] = "A report arrived that changes nothing: {level}."
    level: ReceiptLevel
    code: str
    provider_id: str


# --- of a ticket --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TicketOpened(Event):
    """A conversation had no open ticket."""

    kind: ClassVar[str] = "ticket_opened"
    sentence: ClassVar[str] = "Ticket opened."


@dataclass(frozen=True, slots=True)
class MessageReceived(Event):
    """The contact, or somebody else on the business side, wrote."""

    kind: ClassVar[str] = "message_received"
    sentence: ClassVar[str] = "Message received from the {author}."
    author: str
    comment: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class PartNotCarried(Event):
    """Something of a message could not be represented; `content` is its kind."""

    kind: ClassVar[str] = "part_not_carried"
    sentence: ClassVar[str] = "Content of kind “{content}” could not be carried over."
    content: str
    comment: str


@dataclass(frozen=True, slots=True)
class NoteAdded(Event):
    """An internal comment, which is never sent."""

    kind: ClassVar[str] = "note_added"
    sentence: ClassVar[str] = "Internal note added."
    comment: str


@dataclass(frozen=True, slots=True)
class TicketSolved(Event):
    """An agent closed the case."""

    kind: ClassVar[str] = "ticket_solved"
    sentence: ClassVar[str] = "Ticket solved."


@dataclass(frozen=True, slots=True)
class TicketReopened(Event):
    """The contact wrote again, or an agent took the case up again."""

    kind: ClassVar[str] = "ticket_reopened"
    sentence: ClassVar[str] = "Ticket reopened."


@dataclass(frozen=True, slots=True)
class ControlTaken(Event):
    """We became the owner of the conversation on the provider's side."""

    kind: ClassVar[str] = "control_taken"
    sentence: ClassVar[str] = "Heliograph took control of the conversation at the provider."


@dataclass(frozen=True, slots=True)
class ControlReleased(Event):
    """The conversation was handed back on the provider's side."""

    kind: ClassVar[str] = "control_released"
    sentence: ClassVar[str] = "Heliograph handed the conversation back at the provider."


@dataclass(frozen=True, slots=True)
class ControlRefused(Event):
    """The provider did not let us take or hand back the conversation; the reply is sent all the same."""

    kind: ClassVar[str] = "control_refused"
    sentence: ClassVar[str] = "The provider did not change who controls the conversation."
    reason: Reason
    code: str


@dataclass(frozen=True, slots=True)
class ControlObserved(Event):
    """The provider reports who owns the conversation."""

    kind: ClassVar[str] = "control_observed"
    sentence: ClassVar[str] = "The provider reports a change of who controls the conversation."
    ours: bool


@dataclass(frozen=True, slots=True)
class ConversationReplaced(Event):
    """The provider merged or moved the conversation; waiting replies follow it."""

    kind: ClassVar[str] = "conversation_replaced"
    sentence: ClassVar[str] = "The provider moved the conversation; waiting replies follow it."
    conversation: str


@dataclass(frozen=True, slots=True)
class ConversationLost(Event):
    """The provider removed the conversation; waiting replies have no target."""

    kind: ClassVar[str] = "conversation_lost"
    sentence: ClassVar[str] = "The provider removed the conversation."


# --- of a channel or a credential ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HoldStarted(Event):
    """Nothing new is spent from now on. `operation`: "send", "check", or "receipt" where what was accepted was handed back.

    `interval` is not 0 where the last hold's story goes on.
    """

    kind: ClassVar[str] = "hold_started"
    sentence: ClassVar[str] = "Sending is on hold; replies wait in order."
    reason: Reason
    code: str
    operation: str
    trial_at: int
    interval: int = 0


@dataclass(frozen=True, slots=True)
class HoldProlonged(Event):
    """The fault is confirmed, by a probe or by the one lane that was tried. Recorded when reason or operation changes."""

    kind: ClassVar[str] = "hold_prolonged"
    sentence: ClassVar[str] = "Sending stays on hold."
    reason: Reason
    code: str
    operation: str
    interval: int
    trial_at: int


@dataclass(frozen=True, slots=True)
class TrialStarted(Event):
    """The probe passes; one lane tries first."""

    kind: ClassVar[str] = "trial_started"
    sentence: ClassVar[str] = "The probe passes again; one conversation is tried first."


@dataclass(frozen=True, slots=True)
class TrialPassed(Event):
    """The one lane got through where messages had been accepted and then handed back: not at once a proof. Judged at `trial_at`."""

    kind: ClassVar[str] = "trial_passed"
    sentence: ClassVar[str] = "The one that was tried was accepted; the others follow unless it is handed back."
    interval: int
    trial_at: int


@dataclass(frozen=True, slots=True)
class HoldEnded(Event):
    """Sending works again; what waited goes out in order."""

    kind: ClassVar[str] = "hold_ended"
    sentence: ClassVar[str] = "Sending works again; waiting replies go out in order."
    seconds: int


@dataclass(frozen=True, slots=True)
class IdentityPinned(Event):
    """The first valid probe says whose credentials these are; `identity` is the provider's own id."""

    kind: ClassVar[str] = "identity_pinned"
    sentence: ClassVar[str] = "Credentials proved and their owner noted."
    identity: str


@dataclass(frozen=True, slots=True)
class ChannelConfigured(Event):
    """A channel was created or its settings changed; `fields` are names, never values."""

    kind: ClassVar[str] = "channel_configured"
    sentence: ClassVar[str] = "Channel configured."
    provider: str
    fields: tuple[str, ...]


# --- of an account ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TokenIssued(Event):
    """An API token was made; `token` is its id."""

    kind: ClassVar[str] = "token_issued"
    sentence: ClassVar[str] = "API token issued."
    token: str


@dataclass(frozen=True, slots=True)
class TokenRevoked(Event):
    """An API token was withdrawn; `token` is its id."""

    kind: ClassVar[str] = "token_revoked"
    sentence: ClassVar[str] = "API token revoked."
    token: str


@dataclass(frozen=True, slots=True)
class CaughtUp(Event):
    """After downtime the provider was asked what we missed."""

    kind: ClassVar[str] = "caught_up"
    sentence: ClassVar[str] = "After downtime the provider was asked for missed messages: {missed} found."
    asked: int
    missed: int


# By module, and not in the order in which modules happened to be imported: pages are made from this.
EVENTS: dict[str, type[Event]] = {
    cls.kind: cls for cls in sorted(Event.__subclasses__(), key=lambda cls: (cls.__module__ != __name__, cls.__module__))
}
