"""Mails to followers, and what chat rooms are told: the updates in the reader's language, as text and as plain HTML."""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from heliograph.projections.public.board import Board, Case, Topic, Update
from heliograph.projections.wording import public
from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.languages import language_of
from heliograph.projections.wording.pieces import Message, Piece, fill, flat, one
from heliograph.projections.wording.prose import Prose
from heliograph.projections.wording.values import PHASES, moment

CONFIRM = one("Confirm that you follow {name}")
CONFIRM_WHY = one("Somebody, you we hope, gave this address to be told about incidents of {name}. Confirm here: {link}")
CONFIRM_NOT = one("If it was not you, do nothing: without a confirmation no further mail follows.")
READ = one("The whole incident: {link}")
STORY = one("The post-mortem: {link}")
STOP = one("You get this because you follow the status page. Stop these mails: {link}")
REMEDY_DONE = one("Completed: {title}")
REMEDY_TITLE = one("A remedy is completed: {about}")
STORY_TITLE = one("Post-mortem published: {about}")
NOTE_TITLE = one("News: {about}")


class Letter(NamedTuple):
    """A mail, or a message to a chat room (without `html`)."""

    subject: str
    text: str
    html: str


def filled(language: str, message: Message, **facts: str) -> str:
    """A sentence in a language with texts in its holes."""
    return flat(fill(language, message, {name: Piece(text) for name, text in facts.items()}, {}))


def headline(update: Update, language: str) -> str:
    """What an update is called."""
    about = public.title(update.told, language).heading
    match update.topic:
        case Topic.PHASE:
            return public.update(update.told, language).heading
        case Topic.NOTE:
            return filled(language, NOTE_TITLE, about=about)
        case Topic.POSTMORTEM:
            return filled(language, STORY_TITLE, about=about)
        case Topic.REMEDY:
            return filled(language, REMEDY_TITLE, about=about)


def paragraphs(update: Update, language: str) -> list[str]:
    """What an update says. Words that nobody has translated are marked."""
    match update.topic:
        case Topic.PHASE:
            return public.update(update.told, language).body.split("\n\n")
        case Topic.POSTMORTEM:
            return [translate(language, public.PUBLISHED.one)]
        case Topic.NOTE | Topic.REMEDY:
            shown = Prose(update.locale, update.text, update.translations).shown(language)
            text = filled(language, REMEDY_DONE, title=shown.text) if update.topic is Topic.REMEDY else shown.text
            return [*([f"[{shown.mark}]"] if shown.mark else []), *(part for part in text.split("\n\n") if part.strip())]


def phase_word(phase: str, language: str) -> str:
    """A phase as people read it."""
    return translate(language, PHASES[phase].one)


def address(board: Board, case: Case, language: str) -> str:
    """The incident's page in a language."""
    return f"{board.url}/status/{language_of(language).tag.lower()}/incidents/{case.incident.id}"


def news(board: Board, case: Case, updates: Iterable[Update], language: str, *, unsubscribe: str) -> Letter:
    """One mail with all that a follower has not been told about an incident, newest first."""
    found = sorted(updates, key=lambda update: (update.at, update.seq), reverse=True)
    parts: list[tuple[str, list[str]]] = []
    for update in found:
        when = flat(moment(language, update.at, "at"))
        parts.append((f"{when} · {phase_word(update.phase, language)}", paragraphs(update, language)))
    link = address(board, case, language)
    ends = [filled(language, READ, link=link)]
    if any(update.topic is Topic.POSTMORTEM for update in found):
        ends.append(filled(language, STORY, link=f"{link}/postmortem"))
    ends.append(filled(language, STOP, link=unsubscribe))
    return Letter(headline(found[0], language), _text(parts, ends), _html(language, parts, ends))


def confirmation(language: str, *, link: str, name: str) -> Letter:
    """The mail that asks whether somebody really wants mails."""
    lines = [filled(language, CONFIRM_WHY, name=name, link=link), filled(language, CONFIRM_NOT)]
    return Letter(filled(language, CONFIRM, name=name), _text([], lines), _html(language, [], lines))


def shout(board: Board, case: Case, update: Update, language: str) -> Letter:
    """For chat rooms and social feeds: the headline, the first paragraph and the address."""
    text = "\n\n".join([*paragraphs(update, language)[:2], address(board, case, language)])
    return Letter(headline(update, language), text, "")


def overdue(number: int, promised_at: int, *, link: str) -> Letter:
    """For operators, in English: a promise is broken."""
    when = flat(moment("en", promised_at, ""))
    return Letter(
        f"The post-mortem of incident {number} is overdue", f"It was promised for {when} and is not published. Write it: {link}", ""
    )


def _text(parts: list[tuple[str, list[str]]], ends: list[str]) -> str:
    blocks = ["\n\n".join([heading, *body]) for heading, body in parts]
    return "\n\n".join([*blocks, *ends]) + "\n"


def _html(language: str, parts: list[tuple[str, list[str]]], ends: list[str]) -> str:
    blocks = [f"<h2>{escape(heading)}</h2>" + "".join(f"<p>{escape(text)}</p>" for text in body) for heading, body in parts]
    feet = "".join(f"<p>{_linked(text)}</p>" for text in ends)
    tag = language_of(language).tag
    return f'<!doctype html><html lang="{tag}"><meta charset="utf-8"><body>{"".join(blocks)}{feet}</body></html>'


def _linked(text: str) -> str:
    words = [
        f'<a href="{escape(word)}">{escape(word)}</a>' if word.startswith(("http://", "https://")) else escape(word)
        for word in text.split(" ")
    ]
    return " ".join(words)
