"""A post-mortem as its template needs it: every figure with its definition and the events that it rests on."""

from typing import Any

from heliograph.projections import postmortem_words as say
from heliograph.projections.postmortem import SECTIONS, Draft, Postmortem, Remedy, intervals
from heliograph.projections.postmortem_picture import picture
from heliograph.projections.public.board import facts_of, public_facts
from heliograph.projections.wording import notice, public
from heliograph.projections.wording.languages import Language
from heliograph.projections.wording.prose import Prose
from heliograph.projections.wording.values import number, span
from heliograph.web.status.views import rich


def story_of(story: Postmortem, remedies: tuple[Remedy, ...], language: Language) -> dict[str, Any]:
    """Of one that has its draft, published or not."""
    made = story.draft
    assert made is not None
    tag = language.tag
    facts = facts_of(made.facts)
    told = public.postmortem(facts, tag)
    return {
        "story": story,
        "heading": told.heading,
        "sentences": told.body.split("\n\n"),
        "prose": prose(story, tag),
        "rich": rich,
        "picture": drawn(made, tag),
        "figures": figures(made, tag),
        "numbers": counts(made, tag),
        "cited": say.word(tag, say.CITED).format(first=number(tag, made.first), last=number(tag, made.last)),
        "notice": notice.account(public_facts(facts), tag),
        "exact": lambda at: say.exact(tag, at),
        "lines": _lines(made, tag),
        "diff": made.diff,
        "remedies": _remedies(remedies, tag),
        "say": {name: say.word(tag, getattr(say, name)) for name in ("FACTS", "TIMELINE", "DIFFERENCE", "REMEDIES", "OWNER", "DUE")}
        | {"FIGURES": say.word(tag, say.TIMELINE)},
    }


def prose(story: Postmortem, tag: str) -> list[tuple[str, str, str, str, str]]:
    """Written sections as (name, heading, Markdown, mark, language)."""
    found = []
    for section in SECTIONS:
        version, language = story.prose(section, tag)
        if version is not None:
            shown = Prose(language, version.text).shown(tag)
            found.append((section, say.word(tag, say.HEADINGS[section]), version.text, shown.mark, language))
    return found


def drawn(made: Draft, tag: str) -> str:
    """The picture."""
    svg = picture(
        made.moments, title=say.word(tag, say.TIMELINE), name=lambda name: say.word(tag, say.MOMENTS[name]),
        offset=lambda micros: f"+{span(tag, micros, '').text}",
    )  # fmt: skip
    # Every text in it is escaped where it is made.
    return svg


def figures(made: Draft, tag: str) -> list[tuple[str, str, str, str]]:
    """Intervals as (name, length, definition, cited events)."""
    seqs = {moment.name: moment.seq for moment in made.moments}
    rows = []
    for each in intervals(made):
        cited = " ".join(f"#{seq}" for seq in dict.fromkeys((seqs.get(each.since, 0), seqs.get(each.until, 0))) if seq)
        rows.append((say.word(tag, say.FIGURES[each.name]), say.since(tag, each.micros), say.word(tag, say.DEFINITIONS[each.name]), cited))
    return rows


def counts(made: Draft, tag: str) -> list[tuple[str, str]]:
    """Counts as (name, number)."""
    facts = facts_of(made.facts)
    found = [(say.word(tag, message), number(tag, getattr(facts, name))) for name, message in say.COUNTS.items()]
    found.append((say.word(tag, say.ATTEMPTS), number(tag, made.attempts)))
    return found + [
        (say.word(tag, message), number(tag, made.subjects[name])) for name, message in say.SUBJECTS.items() if name in made.subjects
    ]


def _lines(made: Draft, tag: str) -> list[tuple[int, int, str]]:
    """The timeline as (time, event, text): moments that are older than the event that says them, and events."""
    moments = [(one.at, 0, say.word(tag, say.MOMENTS[one.name])) for one in made.moments if one.at and one.name in ("onset", "detected")]
    lines = [(line.at, line.seq, say.line_text(tag, line)) for line in made.lines]
    return sorted([*moments, *lines], key=lambda each: each[:2])


def _remedies(remedies: tuple[Remedy, ...], tag: str) -> list[tuple[str, str, str, str, str, int]]:
    found = []
    for one in sorted(remedies, key=lambda each: (each.due_at or 2**62, each.id)):
        shown = Prose(one.locale, one.title, one.translations).shown(tag)
        found.append((shown.text, shown.mark, shown.language, say.word(tag, say.STATES[one.state]), one.owner, one.due_at))
    return found
