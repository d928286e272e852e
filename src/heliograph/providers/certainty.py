"""Turns what the network did into outcomes, alike for all providers."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from heliograph.domain.reasons import Reason
from heliograph.ports.http import MaybeSent, NotSent
from heliograph.ports.provider import Accepted, Deferred, Inconclusive, Invalid, SendResult, Unknown

#: Answers that mean "your credentials, or what they may do", never the message.
CREDENTIAL_REASONS = frozenset({Reason.BAD_CREDENTIALS, Reason.WRONG_IDENTITY, Reason.NOT_PERMITTED})

#: Seconds for which a provider may make us wait; what asks for more is nonsense, or hostile.
LONGEST_WAIT = 86_400.0


def not_sent(error: NotSent) -> Deferred:
    """The provider certainly has nothing of it. A refused connection is the provider's doing, the rest the network's."""
    stage = str(error)
    return Deferred(Reason.PROVIDER_DOWN if stage == "refused" else Reason.NETWORK, code=stage)


def maybe_sent(error: MaybeSent) -> Unknown:
    """The provider may have taken it."""
    return Unknown(Reason.NO_ANSWER, code=str(error))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the header Retry-After, which holds seconds or a date; None where it is absent or nonsense.

    A date is measured against the answer's own Date, so that neither clock matters.
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
        except (ValueError, TypeError, IndexError):
            return None
    return seconds if 0 <= seconds <= LONGEST_WAIT else None


def definite(result: SendResult) -> SendResult:
    """The result of a step before the message itself: what may have happened to the step has not happened to the message."""
    if isinstance(result, Unknown):
        return Deferred(result.reason, code=result.code, detail=result.detail)
    return result


def as_check(result: SendResult) -> Invalid | Inconclusive:
    """A non-success read as the answer to a question about credentials."""
    if not isinstance(result, (Accepted, Unknown)) and result.reason in CREDENTIAL_REASONS:
        return Invalid(result.reason, code=result.code, detail=result.detail)
    return unanswered(result)


def unanswered(result: SendResult) -> Inconclusive:
    """A non-success read as no answer to what was asked."""
    if isinstance(result, Accepted):
        return Inconclusive(Reason.NO_ANSWER)
    return Inconclusive(result.reason, code=result.code, detail=result.detail)
