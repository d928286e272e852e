"""What Twilio's error codes mean, in answers and in receipts."""

from typing import Any

from heliograph.domain.reasons import Reason
from heliograph.ports.http import HttpResponse
from heliograph.ports.provider import Deferred, Refused, SendResult, Unknown
from heliograph.providers import certainty, wire
from heliograph.providers.wire import ident, table, text

#: Source: the error dictionary at https://www.twilio.com/docs/api/errors, by way of other implementations where a page was not
#: read; 63001 to 63033 after the table that maps WhatsApp's own codes. Those with [M] are from memory and unconfirmed.
CODES: dict[int, Reason] = {
    11751: Reason.TOO_LARGE,  # [M]
    12300: Reason.UNSUPPORTED,  # [M] the type of a file
    14107: Reason.RATE_LIMITED,
    20003: Reason.BAD_CREDENTIALS,
    20005: Reason.NOT_PERMITTED,  # [M] account not active
    20404: Reason.NOT_PERMITTED,  # the path holds nothing but the account
    20429: Reason.RATE_LIMITED,
    21211: Reason.BAD_RECIPIENT,
    21212: Reason.NOT_PERMITTED,  # [M] the sender
    # A region that is switched off, or a trial's unverified number, says nothing about the channel's other contacts.
    21408: Reason.BAD_RECIPIENT,
    21608: Reason.BAD_RECIPIENT,  # [M]
    21602: Reason.BAD_REQUEST,  # [M]
    21603: Reason.NOT_PERMITTED,  # [M]
    21604: Reason.BAD_RECIPIENT,  # [M]
    21606: Reason.NOT_PERMITTED,
    21609: Reason.BAD_REQUEST,  # [M] address for receipts
    21610: Reason.BLOCKED,
    21612: Reason.BAD_RECIPIENT,
    21614: Reason.BAD_RECIPIENT,
    21617: Reason.TOO_LARGE,
    21620: Reason.BAD_REQUEST,  # [M] address of a file
    21655: Reason.BAD_REQUEST,  # [M] Content SID
    21656: Reason.BAD_REQUEST,  # [M] values of a template
    21660: Reason.NOT_PERMITTED,  # [M] the sender is another account's
    21701: Reason.NOT_PERMITTED,  # [M]
    21703: Reason.NOT_PERMITTED,
    21910: Reason.BAD_RECIPIENT,  # [M] an SMS from a WhatsApp sender, or the other way round
    30001: Reason.RATE_LIMITED,
    30002: Reason.NOT_PERMITTED,
    30003: Reason.BAD_RECIPIENT,
    30004: Reason.BLOCKED,
    30005: Reason.BAD_RECIPIENT,
    30006: Reason.BAD_RECIPIENT,
    30007: Reason.UNSUPPORTED,  # filtered for its content
    30008: Reason.OTHER,
    30019: Reason.TOO_LARGE,  # [M]
    30022: Reason.RATE_LIMITED,
    30032: Reason.NOT_PERMITTED,  # [M] sender not verified
    30034: Reason.NOT_PERMITTED,  # [M] sender not registered
    30410: Reason.PROVIDER_DOWN,
    63001: Reason.NOT_PERMITTED,
    63003: Reason.BAD_RECIPIENT,
    63005: Reason.UNSUPPORTED,
    63006: Reason.UNSUPPORTED,
    63007: Reason.NOT_PERMITTED,
    63008: Reason.NOT_PERMITTED,
    63010: Reason.PROVIDER_DOWN,
    63012: Reason.PROVIDER_DOWN,
    63013: Reason.UNSUPPORTED,  # against WhatsApp's policy
    63015: Reason.BAD_RECIPIENT,
    63016: Reason.WINDOW_CLOSED,
    63018: Reason.RATE_LIMITED,
    63019: Reason.OTHER,  # the file could not be fetched: from us, so it may go another time
    63020: Reason.NOT_PERMITTED,
    63021: Reason.UNSUPPORTED,
    63022: Reason.NOT_PERMITTED,
    63023: Reason.OTHER,
    63024: Reason.BAD_RECIPIENT,
    63027: Reason.BAD_REQUEST,  # the template is gone
    63028: Reason.BAD_REQUEST,  # another number of values than the template has
    63029: Reason.BAD_REQUEST,
    63030: Reason.BAD_REQUEST,
    63032: Reason.BAD_RECIPIENT,
    63033: Reason.BLOCKED,
    63038: Reason.RATE_LIMITED,
}

#: What an error without a known code says by its number.
NUMBERS: dict[int, Reason] = {401: Reason.BAD_CREDENTIALS, 403: Reason.NOT_PERMITTED, 413: Reason.TOO_LARGE}


def refusal(response: HttpResponse) -> SendResult | None:
    """What an answer that is no success means; None for a success. A 500 may have queued the message (20500)."""
    number = response.status
    if 200 <= number < 300:
        return None
    answer = table(wire.decode(response.body))
    given = answer.get("code")
    code, detail = ident(given) or str(number), text(answer.get("message"))
    if number >= 500:
        return Unknown(Reason.PROVIDER_DOWN, code, detail)
    if number < 400 or number == 408:
        return Unknown(Reason.NO_ANSWER, code, detail)
    known = CODES.get(given) if type(given) is int else None
    reason = known or NUMBERS.get(number, Reason.OTHER)
    if number == 429 or reason in (Reason.RATE_LIMITED, Reason.PROVIDER_DOWN):
        reason = Reason.RATE_LIMITED if number == 429 else reason
        return Deferred(reason, certainty.retry_after(response.headers), code, detail)
    return Refused(reason, code, detail)


def reason_of(code: Any) -> Reason:
    """What a code of Twilio's means."""
    return CODES.get(code, Reason.OTHER) if type(code) is int else Reason.OTHER
