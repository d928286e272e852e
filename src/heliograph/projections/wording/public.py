"""What everybody may read about an incident, counts only: its title, an update for each phase, the sentences of a post-mortem's facts."""

from heliograph.projections.facts import Facts
from heliograph.projections.wording.pieces import Line, Rendering, fill, joined, one, rendering
from heliograph.projections.wording.values import numbers, span, values

TITLE = one("Replies through {provider} delayed ({day})")
UPDATE_TITLE = one("{phase}: replies through {provider} delayed ({day})")
NOT_OUT = one("Since {onset_at}, replies through {provider} have not been going out.")
LOOKING = one("We are looking for the cause.")
FOUND = one("The cause is known: {cause}.")
WERE_NOT_OUT = one("{period} ({lasted}), replies through {provider} did not go out: {cause}.")
WORKS = one("Sending works again. What waited goes out in order, by itself; nothing has to be written again.")
KEPT = one("Replies are saved in order and go out by themselves; nothing has to be written again.")
RESOLVED = one("The incident was resolved on {resolved_at}.")
PUBLISHED = one("The post-mortem of this incident is published.")
AFFECTED = one("Affected: {n_replies} on {n_tickets} of {n_accounts}.")
FIGURES = one(
    "Waiting: {waiting}. Sent late: {sent_late}. To be decided: {asked}. Could not be sent: {failed}. Dropped: {dropped}. Lost: {lost}."
)
COUNTED = ("accounts", "tickets", "replies", "waiting", "sent_late", "asked", "failed", "dropped", "lost")

ALL_WELL = one("All services work")
TROUBLE = one("Replies are delayed")
PAGE = one("Heliograph: {state}")


def title(facts: Facts, language: str) -> Rendering:
    """The incident's headline, the same in all phases."""
    headline = fill(language, TITLE, values(language, facts), numbers(facts))
    return rendering("public_title", language, headline, [], required=("day", "provider"))


def update(facts: Facts, language: str) -> Rendering:
    """What is said when the incident enters its phase, with the counts of that moment."""
    written, bends = values(language, facts), numbers(facts)
    required = {"day", "onset_at", "provider", "phase", *COUNTED}
    told: list[Line] = []
    if facts.mitigated_at:
        told.append(fill(language, WERE_NOT_OUT, written, bends))
        required |= {"mitigated_at", "reason", "lasted"}
    else:
        told.append(fill(language, NOT_OUT, written, bends))
        cause_known = facts.phase != "investigating"
        told.append(fill(language, FOUND if cause_known else LOOKING, written, bends))
        required |= {"reason"} if cause_known else set()
    if facts.resolved_at:
        told.append(fill(language, RESOLVED, written, bends))
        required |= {"resolved_at"}
    elif facts.mitigated_at:
        told.append(fill(language, WORKS, written, bends))
    else:
        told.append(fill(language, KEPT, written, bends))
    if facts.phase == "postmortem":
        told.append(fill(language, PUBLISHED, written, bends))
    counts = joined([fill(language, AFFECTED, written, bends), fill(language, FIGURES, written, bends)])
    return rendering("public_update", language, fill(language, UPDATE_TITLE, written, bends), [joined(told), counts], required=required)


def page_title(language: str, *, open_incidents: int) -> str:
    """Of the status page, for the browser's tab."""
    state = fill(language, TROUBLE if open_incidents else ALL_WELL, {}, {})
    return "".join(piece.text for piece in fill(language, PAGE, {"state": state}, {}))


#: Of a post-mortem: each moment with its definition, each interval from when to when.
STORY = {
    "onset_at": one("Began: {onset_at}, with the first reply that should have gone out and did not."),
    "detected_at": one("Noticed by Heliograph: {detected_at}, {until} after it began."),
    "declared_at": one("Incident opened: {declared_at}, {until} after it was noticed."),
    "noticed_at": one("First affected agent told: {noticed_at}, {until} after it began."),
    "mitigated_at": one("Sending works again: {mitigated_at}, {until} after it began."),
    "resolved_at": one("Resolved, with nothing waiting any more: {resolved_at}, {until} after it began."),
}
CAUSE = one("Cause: {cause}.")
RELEASE = one("Release at fault: {release}.")
VARIABLE = one("Setting at fault: {variable}.")
POSTMORTEM = one("What happened on {day}: replies through {provider} delayed")


def postmortem(facts: Facts, language: str) -> Rendering:
    """The locked facts of a post-mortem as sentences, one a paragraph, each with what it is measured from."""
    written, bends = values(language, facts), numbers(facts)
    told: list[Line] = []
    required = {"day", "onset_at", "provider", "reason", *COUNTED}
    for name, message in STORY.items():
        at: int = getattr(facts, name)
        if not at:
            continue
        since = facts.detected_at if name == "declared_at" else facts.onset_at
        told.append(fill(language, message, {**written, "until": span(language, at - since, f"{name}_after")}, bends))
        required.add(name)
    told.append(fill(language, CAUSE, written, bends))
    for name, message in (("release", RELEASE), ("variable", VARIABLE)):
        if getattr(facts, name):
            told.append(fill(language, message, written, bends))
            required.add(name)
    told += [fill(language, AFFECTED, written, bends), fill(language, FIGURES, written, bends)]
    return rendering("postmortem", language, fill(language, POSTMORTEM, written, bends), told, required=required)
