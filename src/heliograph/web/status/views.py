"""What the templates of the status page are given: one language's words, and the board's facts in it."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any, NamedTuple

import nh3
from babel.dates import format_date
from babel.numbers import format_percent
from markdown_it import MarkdownIt

from heliograph.domain.retry import SECOND
from heliograph.projections.public import letters
from heliograph.projections.public.api import iso
from heliograph.projections.public.board import Board, Case, Topic, Update
from heliograph.projections.public.uptime import DAY, Uptime, uptimes
from heliograph.projections.wording import public
from heliograph.projections.wording.catalogs import plural, translate
from heliograph.projections.wording.languages import LANGUAGES, Language
from heliograph.projections.wording.pieces import flat
from heliograph.projections.wording.prose import Prose
from heliograph.projections.wording.values import SEVERITIES, moment, number, span

#: People's text: no HTML of their own, no pictures from elsewhere.
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).disable("image")
_TAGS = {"p", "br", "em", "strong", "code", "pre", "blockquote", "ul", "ol", "li", "a", "h3", "h4", "h5", "h6", "hr"}


class Words(NamedTuple):
    """One language: `tag` for `lang`, `slug` for addresses, and its sentences."""

    tag: str
    slug: str
    title: str
    t: Callable[..., str]


def words(language: Language) -> Words:
    """The sentences of a language."""

    def t(text: str, many: str = "", count: int = 0) -> str:
        return plural(language.tag, text, many, count) if many else translate(language.tag, text)

    return Words(language.tag, slug_of(language), language.title, t)


def slug_of(language: Language) -> str:
    """Its place in addresses: /status/pt-br."""
    return language.tag.lower()


def by_slug(slug: str) -> Language | None:
    """The language of an address."""
    return next((language for language in LANGUAGES if slug_of(language) == slug), None)


def helpers(language: Language) -> dict[str, Any]:
    """What every template may call."""
    tag = language.tag
    return {
        "w": words(language),
        "t": words(language).t,
        "iso": iso,
        "moment": lambda at: flat(moment(tag, at, "")),
        "day": lambda at: format_date(_date(at), "medium", locale=language.locale),
        "span": lambda micros: span(tag, micros, "").text,
        "n": partial(number, tag),
        "share": partial(percent, language),
        "headline": lambda case: public.title(case.facts, tag).heading,
        "title_of": lambda update: letters.headline(update, tag),
        "severity": lambda value: translate(tag, SEVERITIES[value].one),
        "phase": lambda value: letters.phase_word(value, tag),
        "told": lambda update: told(update, tag),
        "bars": bars,
        "lasted": lasted,
        "ordered": lambda case: sorted(case.remedies, key=lambda one: (one.due_at or 2**62, one.id)),
    }


def about(board: Board, language: Language) -> dict[str, Any]:
    """The whole board for a template."""
    return {**helpers(language), "board": board, "uptimes": uptimes(board), "gravity": board.gravity, "topics": Topic}


def told(update: Update, tag: str) -> tuple[list[str], str, str]:
    """An update's paragraphs, the mark that stands beside what nobody has translated, and the language that it is in."""
    if update.topic in (Topic.NOTE, Topic.REMEDY):
        shown = Prose(update.locale, update.text, update.translations).shown(tag)
        paragraphs = letters.paragraphs(update, tag)
        return (paragraphs[1:] if shown.mark else paragraphs), shown.mark, shown.language
    return letters.paragraphs(update, tag), "", tag


def rich(text: str) -> str:
    """Markdown of operators as safe HTML; headings begin below those of the page."""
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    # Cleaned of all but what is listed, so that it may stand unescaped.
    return nh3.clean(html, tags=_TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"})


def lasted(case: Case, now: int) -> int:
    """Microseconds from its onset until it was mitigated, or until now."""
    incident = case.incident
    return max(0, (incident.mitigated_at or incident.resolved_at or now) - incident.onset_at)


def percent(language: Language, share: float) -> str:
    """A share as people read it; never rounded up to a perfect one."""
    cut = int(share * 100_000) / 100_000 if share < 1 else 1.0
    return format_percent(cut, format="#,##0.###%", locale=language.locale)


class Bar(NamedTuple):
    """A day of the uptime picture: `level` is "unknown", "none", "some" or "much"."""

    x: int
    level: str
    start: int
    down: int


def bars(uptime: Uptime) -> list[Bar]:
    """The picture's days, oldest first."""
    return [Bar(place * 4, _level(day.known, day.down), day.start, day.down) for place, day in enumerate(uptime.days)]


def _level(known: int, down: int) -> str:
    if not known:
        return "unknown"
    if not down:
        return "none"
    return "some" if down < 600 * SECOND else "much"


def _date(at: int) -> date:
    return date(1970, 1, 1) + timedelta(days=at // DAY)
