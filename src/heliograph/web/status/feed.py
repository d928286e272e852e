"""The Atom feed of one language: an entry for each incident, and one for each of its updates."""

import re
from html import escape

from feedgen.feed import FeedGenerator  # type: ignore[import-untyped]

from heliograph.projections.public import letters
from heliograph.projections.public.api import iso
from heliograph.projections.public.board import Board, Case, Update
from heliograph.projections.wording import public
from heliograph.projections.wording.languages import Language

#: Feeds end after so many entries.
MOST = 100
#: What XML has no place for, and people paste all the same. One of them would leave the feed unmade.
UNFIT = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")


def feed(board: Board, language: Language) -> bytes:
    """The whole feed, newest first."""
    tag, slug = language.tag, language.tag.lower()
    here = f"{board.url}/status/{slug}"
    made = FeedGenerator()
    made.id(_id(board, slug))
    made.title(_fit(f"{board.name} ({language.title})"))
    made.author(name=_fit(board.name))
    made.link(href=f"{here}/feed.atom", rel="self", type="application/atom+xml")
    made.link(href=here or "/", rel="alternate", type="text/html")
    made.language(tag)
    made.updated(iso(board.changed_at))
    entries: list[tuple[int, Case, Update | None]] = []
    for case in board.cases:
        entries.append((case.changed_at, case, None))
        entries += [(update.at, case, update) for update in case.updates]
    entries.sort(key=lambda entry: (entry[0], entry[2] is None), reverse=True)
    for at, case, update in entries[:MOST]:
        _entry(made, board, case, update, at, tag, slug)
    text: bytes = made.atom_str(pretty=True)
    return text


def _entry(made: FeedGenerator, board: Board, case: Case, update: Update | None, at: int, tag: str, slug: str) -> None:
    entry = made.add_entry(order="append")
    link = letters.address(board, case, tag)
    if update is None:
        entry.id(_id(board, f"{slug}:{case.incident.id}"))
        entry.title(_fit(public.title(case.facts, tag).heading))
        entry.published(iso(case.incident.declared_at))
        entry.content(_html(letters.paragraphs(case.updates[0], tag)), type="html")
        entry.link(href=link)
    else:
        entry.id(_id(board, f"{slug}:{update.id}"))
        entry.title(_fit(letters.headline(update, tag)))
        entry.published(iso(update.at))
        entry.content(_html(letters.paragraphs(update, tag)), type="html")
        entry.link(href=f"{link}#{tag}-{update.id}")
    entry.updated(iso(at))


def _html(paragraphs: list[str]) -> str:
    return "".join(f"<p>{escape(_fit(text))}</p>" for text in paragraphs)


def _fit(text: str) -> str:
    return UNFIT.sub("", text)


def _id(board: Board, name: str) -> str:
    host = board.url.partition("://")[2].partition("/")[0].partition(":")[0] or "heliograph.invalid"
    return f"tag:{host},2026:status:{name}"
