"""The closed list of why something did not go through, and what each reason implies."""

from dataclasses import dataclass
from enum import StrEnum


class Blame(StrEnum):
    """Whose fault a reason is, and so who can mend it."""

    CONTACT = "contact"
    AGENT = "agent"
    ADMIN = "admin"
    PROVIDER = "provider"
    US = "us"
    NOBODY = "nobody"


class Effect(StrEnum):
    """What a certain non-success with this reason does to the delivery and its channel."""

    #: The message can never go like this: the delivery fails, visibly, and the lane moves on.
    FAIL = "fail"
    #: Not the message's fault: the credential version goes on hold, the message keeps its place.
    HOLD_CREDENTIAL = "hold_credential"
    #: Not the message's fault: the channel goes on hold, the message keeps its place.
    HOLD_CHANNEL = "hold_channel"
    #: Not the message's fault: the lane tries again later, and a probe decides about the channel.
    WAIT = "wait"
    #: May be the message's own fault: tried again, and the message's retry budget shrinks by one.
    SPEND = "spend"


class Reason(StrEnum):
    """Normalised cause of a non-success. Every provider maps its own codes onto these."""

    #: No such recipient, or the address is malformed.
    BAD_RECIPIENT = "bad_recipient"
    #: The contact has blocked us, unsubscribed or deactivated the account.
    BLOCKED = "blocked"
    #: The conversation no longer exists or takes no more messages.
    CONVERSATION_CLOSED = "conversation_closed"
    #: The provider's reply window has closed.
    WINDOW_CLOSED = "window_closed"
    #: Longer or larger than the provider accepts.
    TOO_LARGE = "too_large"
    #: A kind of content this provider cannot carry.
    UNSUPPORTED = "unsupported"
    #: The provider calls our request malformed: a fault of this software.
    BAD_REQUEST = "bad_request"
    #: Key, token or secret refused (401 class).
    BAD_CREDENTIALS = "bad_credentials"
    #: The credentials work, but belong to another app, page or bot than the pinned one.
    WRONG_IDENTITY = "wrong_identity"
    #: Credentials valid, operation refused: permission, payment, suspended account.
    NOT_PERMITTED = "not_permitted"
    #: The conversation has a new address, to which the reply goes next.
    MOVED = "moved"
    #: Too many requests; the provider took nothing.
    RATE_LIMITED = "rate_limited"
    #: The provider answered that it is out of order, or refused the connection.
    PROVIDER_DOWN = "provider_down"
    #: The provider could not be reached: name resolution, routing, TLS.
    NETWORK = "network"
    #: The request was written and no usable answer came: it may have been taken.
    NO_ANSWER = "no_answer"
    #: This software stopped or lost its lease in the middle of a call.
    INTERRUPTED = "interrupted"
    #: The provider kept failing on this one message while it was well otherwise.
    EXHAUSTED = "exhausted"
    #: It waited, and meanwhile sending it may have become wrong: a person is asked.
    STALE = "stale"
    #: A code that no table of ours knows; counted, so that somebody looks.
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """What is true of a reason, in one place."""

    blame: Blame
    effect: Effect
    #: Plain words for an agent. Translated by this string.
    sentence: str
    #: What can be done about it, and by whom. Translated by this string.
    remedy: str


REASONS: dict[Reason, ReasonRow] = {
    Reason.BAD_RECIPIENT: ReasonRow(
        Blame.CONTACT, Effect.FAIL, "The contact cannot be reached at this address.", "Ask the contact for another way to reach them."
    ),
    Reason.BLOCKED: ReasonRow(Blame.CONTACT, Effect.FAIL, "The contact has blocked this channel.", "Reach the contact another way."),
    Reason.CONVERSATION_CLOSED: ReasonRow(
        Blame.PROVIDER,
        Effect.FAIL,
        "The conversation takes no more messages.",
        "Wait for the contact to write again, or use another channel.",
    ),
    Reason.WINDOW_CLOSED: ReasonRow(
        Blame.CONTACT,
        Effect.FAIL,
        "The time in which the provider allows a reply is over.",
        "Wait for the contact to write again, or use a template.",
    ),
    Reason.TOO_LARGE: ReasonRow(
        Blame.AGENT, Effect.FAIL, "The message or a file is larger than the provider accepts.", "Shorten it or send a smaller file."
    ),
    Reason.UNSUPPORTED: ReasonRow(
        Blame.AGENT, Effect.FAIL, "This channel cannot carry this kind of content.", "Send it as text or as a file."
    ),
    Reason.BAD_REQUEST: ReasonRow(
        Blame.US, Effect.FAIL, "The provider called the request malformed.", "Report it: this is a fault of Heliograph."
    ),
    Reason.BAD_CREDENTIALS: ReasonRow(
        Blame.ADMIN,
        Effect.HOLD_CREDENTIAL,
        "The provider does not accept the channel's credentials.",
        "An admin must renew the credentials; the reply then goes out by itself.",
    ),
    Reason.WRONG_IDENTITY: ReasonRow(
        Blame.ADMIN,
        Effect.HOLD_CREDENTIAL,
        "The credentials belong to another account at the provider.",
        "An admin must put the right credentials in place; the reply then goes out by itself.",
    ),
    Reason.NOT_PERMITTED: ReasonRow(
        Blame.ADMIN,
        Effect.HOLD_CHANNEL,
        "The provider refuses to send for this account.",
        "An admin must check permissions and payment at the provider; the reply then goes out by itself.",
    ),
    Reason.MOVED: ReasonRow(
        Blame.NOBODY,
        Effect.WAIT,
        "The conversation has moved to a new address at the provider.",
        "Nothing: the reply follows it by itself.",
    ),
    Reason.RATE_LIMITED: ReasonRow(
        Blame.NOBODY, Effect.WAIT, "The provider asked to slow down.", "Nothing to do: what waits goes out by itself."
    ),
    Reason.PROVIDER_DOWN: ReasonRow(
        Blame.PROVIDER,
        Effect.WAIT,
        "The provider is out of order.",
        "Nothing to do: what waits goes out by itself when the provider is back.",
    ),
    Reason.NETWORK: ReasonRow(
        Blame.PROVIDER,
        Effect.WAIT,
        "The provider cannot be reached.",
        "Nothing to do: what waits goes out by itself when the connection is back.",
    ),
    Reason.NO_ANSWER: ReasonRow(
        Blame.PROVIDER,
        Effect.SPEND,
        "The provider did not answer; the message may have arrived.",
        "Heliograph looks it up where the provider allows; elsewhere decide whether to send again.",
    ),
    Reason.INTERRUPTED: ReasonRow(
        Blame.US,
        Effect.SPEND,
        "Heliograph was interrupted while sending; the message may have arrived.",
        "Heliograph looks it up where the provider allows; elsewhere decide whether to send again.",
    ),
    Reason.EXHAUSTED: ReasonRow(
        Blame.PROVIDER, Effect.FAIL, "The provider kept failing on this message.", "Change the message and send it again."
    ),
    Reason.STALE: ReasonRow(
        Blame.NOBODY,
        Effect.WAIT,
        "It waited, and meanwhile things have changed.",
        "Read what has happened since, then send it, change it or drop it.",
    ),
    Reason.OTHER: ReasonRow(
        Blame.PROVIDER,
        Effect.SPEND,
        "The provider gave a reason that Heliograph does not know.",
        "Look at the code in the Events tab; send again if it makes sense.",
    ),
}
