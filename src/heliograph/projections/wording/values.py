"""The facts as one language writes them: moments with their year and UTC, numbers with its separators, causes in plain words."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from babel.dates import format_date, format_timedelta
from babel.numbers import format_decimal
from babel.units import format_unit

from heliograph.domain.reasons import Reason
from heliograph.projections.facts import Facts
from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.languages import language_of
from heliograph.projections.wording.pieces import Line, Message, Piece, counted, fill, one

MOMENT = one("{date}, {time} UTC")
PERIOD = one("From {onset_at} to {mitigated_at}")
PERIOD_OF_A_DAY = one("On {day} from {start} to {end} UTC")
#: Where several providers, or none that we know, are concerned.
SEVERAL = one("several services")
#: What happened, as a sentence that stands after a colon.
CAUSES: Mapping[str, Message] = {
    Reason.BAD_RECIPIENT: one("the contacts’ addresses were not accepted"),
    Reason.BLOCKED: one("the contacts have blocked the channel"),
    Reason.CONVERSATION_CLOSED: one("the conversations took no more messages"),
    Reason.WINDOW_CLOSED: one("the time in which the provider allows a reply was over"),
    Reason.TOO_LARGE: one("the messages were larger than the provider accepts"),
    Reason.UNSUPPORTED: one("the channel could not carry this kind of content"),
    Reason.BAD_REQUEST: one("the provider called our requests malformed"),
    Reason.BAD_CREDENTIALS: one("the provider did not accept the credentials"),
    Reason.WRONG_IDENTITY: one("the credentials belonged to another account at the provider"),
    Reason.NOT_PERMITTED: one("the provider refused to send for the account"),
    Reason.MOVED: one("the conversations had moved to a new address at the provider"),
    Reason.RATE_LIMITED: one("the provider asked to slow down"),
    Reason.PROVIDER_DOWN: one("the provider was out of order"),
    Reason.NETWORK: one("the provider could not be reached"),
    Reason.NO_ANSWER: one("the provider did not answer"),
    Reason.INTERRUPTED: one("Heliograph was interrupted while sending"),
    Reason.EXHAUSTED: one("the provider kept failing on the messages"),
    Reason.OTHER: one("the provider gave a reason that Heliograph does not know"),
}
UNKNOWN_CAUSE = CAUSES[Reason.OTHER]
PHASES = {
    "investigating": one("Investigating"),
    "identified": one("Cause found"),
    "monitoring": one("Works again, being watched"),
    "resolved": one("Resolved"),
    "postmortem": one("Post-mortem published"),
}
SEVERITIES = {"minor": one("Minor"), "major": one("Major"), "critical": one("Critical")}
#: Numbers with what they count, so that a sentence can hold several.
COUNTED = {
    "accounts": counted("{n} account", "{n} accounts", by="n"),
    "tickets": counted("{n} ticket", "{n} tickets", by="n"),
    "replies": counted("{n} reply", "{n} replies", by="n"),
    "agents": counted("{n} agent", "{n} agents", by="n"),
}
MOMENTS = ("onset_at", "detected_at", "declared_at", "noticed_at", "mitigated_at", "resolved_at")
COUNTS = ("accounts", "tickets", "replies", "agents", "waiting", "sent_late", "asked", "failed", "dropped", "lost")


def number(language: str, value: int) -> str:
    """A whole number with the language's separators."""
    return format_decimal(value, locale=language_of(language).locale)


def moment(language: str, at: int, fact: str) -> Line:
    """When, with the year and in UTC: one fact, whatever the language puts between its parts."""
    when = datetime.fromtimestamp(at / 1_000_000, UTC)
    written = {"date": Piece(format_date(when.date(), "long", locale=language_of(language).locale)), "time": Piece(f"{when:%H:%M}")}
    return (Piece("".join(piece.text for piece in fill(language, MOMENT, written, {})), fact),)


def period(language: str, facts: Facts) -> Line:
    """From onset to mitigation; the day is said once where it is the same."""
    start, end = (datetime.fromtimestamp(at / 1_000_000, UTC) for at in (facts.onset_at, facts.mitigated_at))
    if start.date() == end.date():
        day = date(language, facts.onset_at, "day")
        return fill(
            language,
            PERIOD_OF_A_DAY,
            {"day": day, "start": Piece(f"{start:%H:%M}", "onset_at"), "end": Piece(f"{end:%H:%M}", "mitigated_at")},
            {},
        )
    return fill(language, PERIOD, {name: moment(language, getattr(facts, name), name) for name in ("onset_at", "mitigated_at")}, {})


def span(language: str, microseconds: int, fact: str) -> Piece:
    """How long, in the largest unit of which there are two or more: "9 minutes"; below ten seconds to a tenth."""
    length, locale = timedelta(microseconds=max(0, microseconds)), language_of(language).locale
    if length < timedelta(seconds=10):
        return Piece(format_unit(round(length.total_seconds(), 1), "duration-second", "long", locale=locale), fact)
    return Piece(format_timedelta(length, threshold=2, locale=locale), fact)


def date(language: str, at: int, fact: str) -> Piece:
    """The day in UTC, with its year."""
    return Piece(format_date(datetime.fromtimestamp(at / 1_000_000, UTC).date(), "long", locale=language_of(language).locale), fact)


def cause(language: str, reason: str, fact: str = "reason") -> Piece:
    """Why, in plain words. A reason that we do not know is a newer version's."""
    message = CAUSES[Reason(reason)] if reason in CAUSES else UNKNOWN_CAUSE
    return Piece(translate(language, message.one), fact)


def numbers(facts: Facts) -> dict[str, int]:
    """The counts by their keys: what bends a sentence."""
    return {name: getattr(facts, name) for name in COUNTS}


def values(language: str, facts: Facts) -> dict[str, Piece | Line]:
    """All facts of a record by their keys, written in this language. Moments that have not come are not there.

    `n_accounts` and its like are counts with their noun; `day` is the date alone, `lasted` from onset to mitigation.
    """
    found: dict[str, Piece | Line] = {
        "number": Piece(number(language, facts.number), "number"),
        "provider": Piece(facts.provider_title or translate(language, SEVERAL.one), "provider"),
        "cause": cause(language, facts.reason),
        "severity": Piece(translate(language, SEVERITIES[facts.severity].one), "severity"),
        "phase": Piece(translate(language, PHASES[facts.phase].one), "phase"),
        "day": date(language, facts.onset_at, "day"),
        "release": Piece(facts.release, "release"),
        "variable": Piece(facts.variable, "variable"),
    }
    for name in MOMENTS:
        at: int = getattr(facts, name)
        if at:
            found[name] = moment(language, at, name)
    for name, count in numbers(facts).items():
        found[name] = Piece(number(language, count), name)
    for name, message in COUNTED.items():
        count = getattr(facts, name)
        # One fact: the number and its noun belong together.
        text = "".join(piece.text for piece in fill(language, message, {"n": Piece(number(language, count))}, {"n": count}))
        found[f"n_{name}"] = Piece(text, name)
    if facts.mitigated_at:
        found["period"] = period(language, facts)
        found["lasted"] = span(language, facts.mitigated_at - facts.onset_at, "lasted")
    return found
