"""A post-mortem in words: what its figures are called and how each is defined, and the whole of it as Markdown."""

from collections.abc import Iterable
from datetime import UTC, datetime

from babel.numbers import format_decimal

from heliograph.domain.events import EVENTS
from heliograph.domain.retry import SECOND
from heliograph.projections.postmortem import SECTIONS, Draft, Line, Postmortem, Remedy, intervals
from heliograph.projections.public.board import facts_of
from heliograph.projections.wording import public
from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.languages import language_of
from heliograph.projections.wording.pieces import Message, Piece, fill, flat, one
from heliograph.projections.wording.prose import Prose
from heliograph.projections.wording.values import MOMENT, PHASES, SEVERITIES, cause, date, number, span

MOMENTS: dict[str, Message] = {
    "onset": one("Began"),
    "detected": one("Noticed by Heliograph"),
    "declared": one("Incident opened"),
    "announced": one("Told in public"),
    "noticed": one("First affected agent told"),
    "mitigated": one("Sending works again"),
    "resolved": one("Resolved"),
}
FIGURES: dict[str, Message] = {
    "ttd": one("Time to detect"),
    "ttn": one("Time to notice"),
    "ttm": one("Time to mitigate"),
    "ttr": one("Time to resolve"),
}
DEFINITIONS: dict[str, Message] = {
    "ttd": one("From the first reply that was kept back until a detector of ours saw it."),
    "ttn": one("From the first reply that was kept back until the first affected agent was told in the product."),
    "ttm": one("From the first reply that was kept back until sending worked again."),
    "ttr": one("From the first reply that was kept back until nothing waited any more and it had stayed quiet."),
}
HEADINGS: dict[str, Message] = {
    "summary": one("Summary"),
    "cause": one("Contributing factors"),
    "resolution": one("Resolution"),
    "well": one("What went well"),
    "badly": one("What went badly"),
    "luck": one("Where we were lucky"),
    "lessons": one("What we learned"),
}
COUNTS: dict[str, Message] = {
    "replies": one("Replies affected"),
    "tickets": one("Tickets"),
    "accounts": one("Accounts"),
    "agents": one("Agents"),
    "waiting": one("Waiting"),
    "sent_late": one("Sent late"),
    "asked": one("To be decided"),
    "failed": one("Could not be sent"),
    "dropped": one("Dropped"),
    "lost": one("Lost"),
}
STATES: dict[str, Message] = {"planned": one("Planned"), "scheduled": one("Scheduled"), "completed": one("Completed")}
SUBJECTS: dict[str, Message] = {
    "channel": one("Channels on hold"),
    "credential": one("Credential versions on hold"),
    "release": one("Releases stopped"),
}
#: What an event on the timeline says to everybody; of one that is not here, its own sentence is told.
LINES: dict[str, Message] = {
    "incident_opened": one("Incident {number} opened."),
    "cause_found": one("Cause found: {cause}."),
    "phase_changed": one("New phase: {phase}."),
    "severity_changed": one("New severity: {severity}."),
    "incident_announced": one("Told in public."),
    "notice_told": one("Affected agents told in the product: {agents}."),
    "incident_mitigated": one("Sending works again; what waited goes out."),
    "incident_relapsed": one("The trouble is back."),
    "incident_resolved": one("Resolved."),
    "hold_started": one("Sending on hold: {cause}."),
    "hold_prolonged": one("Sending stays on hold: {cause}."),
    "trial_started": one("A probe passes; one conversation is tried first."),
    "trial_passed": one("The one that was tried was accepted."),
    "hold_ended": one("The hold has ended."),
    "alarm_raised": one("A detector raised its alarm ({detector}): score {score}, threshold {threshold}."),
    "alarm_cleared": one("The alarm has ended ({detector})."),
    "attribution_decided": one(
        "The release was compared with another one: {failed} failed and {succeeded} got through, "
        "of the other {other_failed} and {other_succeeded}."
    ),
    "release_registered": one("The release was started for the first time."),
    "release_admitted": one("The release was admitted: it may send."),
    "release_forced": one("Somebody let the release send although it had not proved itself."),
    "release_refused": one("The release was refused; it has sent nothing."),
    "release_undecided": one("It could not be told yet whether the release was in order; it sent nothing."),
    "share_given": one("The release may send on a share of the conversations."),
    "release_fenced": one("The release was stopped; another one sends in its place."),
    "release_retired": one("Another release took over."),
}
FACTS = one("Facts, from the ledger")
TIMELINE = one("Timeline")
ATTEMPTS = one("Attempts spent on affected replies while it lasted")
CITED = one("Made from events {first} to {last} of the ledger.")
DIFFERENCE = one("What the release changed")
REMEDIES = one("Remedies")
OWNER = one("Owner")
DUE = one("Due")
NOT_YET = one("not yet")


def word(language: str, message: Message) -> str:
    """A sentence without holes."""
    return translate(language, message.one)


def since(language: str, micros: int | None) -> str:
    """A length of time, or that it is not over."""
    return word(language, NOT_YET) if micros is None else span(language, micros, "").text


def exact(language: str, at: int) -> str:
    """A moment to the second: on a timeline, minutes are too coarse."""
    written = {"date": date(language, at, ""), "time": Piece(f"{datetime.fromtimestamp(at / SECOND, UTC):%H:%M:%S}")}
    return flat(fill(language, MOMENT, written, {}))


def line_text(language: str, line: Line) -> str:
    """What an event on the timeline says, in the reader's language."""
    message = LINES.get(line.kind) or one(EVENTS[line.kind].sentence if line.kind in EVENTS else line.kind)
    written = {name: Piece(_value(language, value)) for name, value in line.values.items()}
    written["cause"] = cause(language, str(line.values.get("reason", "")))
    for name, known in (("phase", PHASES), ("severity", SEVERITIES)):
        value = str(line.values.get(name, ""))
        if value in known:
            written[name] = Piece(word(language, known[value]))
    try:
        return flat(fill(language, message, written, {}))
    except KeyError:
        return word(language, message)


def _value(language: str, value: str | int | float) -> str:
    return value if isinstance(value, str) else format_decimal(round(value, 2), locale=language_of(language).locale)


def markdown(story: Postmortem, remedies: Iterable[Remedy], language: str) -> str:
    """The whole of it, for those who keep such things as text."""
    made = story.draft
    if made is None:
        return ""
    facts = facts_of(made.facts)
    blocks = [f"# {public.postmortem(facts, language).heading}"]
    for section in SECTIONS:
        version, found = story.prose(section, language)
        if version is not None:
            shown = Prose(found, version.text).shown(language)
            mark = f"*{shown.mark}*\n\n" if shown.mark else ""
            blocks.append(f"## {word(language, HEADINGS[section])}\n\n{mark}{version.text}")
    blocks += [*_facts(made, language), *_changes(made, language), *_remedies(list(remedies), language)]
    return "\n\n".join(blocks) + "\n"


def _facts(made: Draft, language: str) -> list[str]:
    facts = facts_of(made.facts)
    cited = word(language, CITED).format(first=made.first, last=made.last)
    rows = [
        f"| {word(language, FIGURES[each.name])} | {since(language, each.micros)} | {word(language, DEFINITIONS[each.name])} |"
        for each in intervals(made)
    ]
    counts = [f"- {word(language, message)}: {number(language, getattr(facts, name))}" for name, message in COUNTS.items()]
    counts.append(f"- {word(language, ATTEMPTS)}: {number(language, made.attempts)}")
    moments = [
        f"- {word(language, MOMENTS[one_.name])}: {exact(language, one_.at)}" + (f" (#{one_.seq})" if one_.seq else "")
        for one_ in made.moments
        if one_.at
    ]
    lines = [f"- {exact(language, line.at)} #{line.seq} {line_text(language, line)}" for line in made.lines]
    return [
        f"## {word(language, FACTS)}",
        "\n\n".join(public.postmortem(facts, language).body.split("\n\n")),
        "\n".join(["| | | |", "| --- | --- | --- |", *rows]),
        "\n".join(counts),
        f"## {word(language, TIMELINE)}",
        "\n".join(moments),
        "\n".join(lines),
        cited,
    ]


def _changes(made: Draft, language: str) -> list[str]:
    if made.diff is None:
        return []
    rows = [f"- `{setting.name}`: {setting.before or '–'} → {setting.after or '–'}" for setting in made.diff.settings]
    head = f"{made.diff.previous} ({made.diff.previous_code}) → {made.diff.release} ({made.diff.code})"
    return [f"## {word(language, DIFFERENCE)}", head, "\n".join(rows)] if rows else [f"## {word(language, DIFFERENCE)}", head]


def _remedies(remedies: list[Remedy], language: str) -> list[str]:
    if not remedies:
        return []
    rows = []
    for remedy in sorted(remedies, key=lambda each: (each.due_at or 2**62, each.id)):
        shown = Prose(remedy.locale, remedy.title, remedy.translations).shown(language)
        due = f", {word(language, DUE)}: {exact(language, remedy.due_at)}" if remedy.due_at else ""
        owner = f" ({word(language, OWNER)}: {remedy.owner}{due})" if remedy.owner else ""
        rows.append(f"- [{word(language, STATES[remedy.state])}] {shown.text}{f' [{shown.mark}]' if shown.mark else ''}{owner}")
    return [f"## {word(language, REMEDIES)}", "\n".join(rows)]
