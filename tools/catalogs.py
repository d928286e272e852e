"""Keeps the translation catalogs in step with the sentences in the code: `make catalogs` adds what is new, drops what is gone."""

import ast
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from jinja2.ext import babel_extract

from heliograph.domain import desk_events, events
from heliograph.domain.outcomes import ReceiptLevel
from heliograph.domain.reasons import REASONS
from heliograph.projections import postmortem_words, timeline
from heliograph.projections.public import letters
from heliograph.projections.wording import desk, guide, notice, operators, prose, public, values
from heliograph.projections.wording.catalogs import read_catalog
from heliograph.projections.wording.languages import LANGUAGES, Language
from heliograph.projections.wording.pieces import Message

SOURCE = Path(__file__).resolve().parent.parent / "src" / "heliograph"
FOLDER = SOURCE / "projections" / "wording" / "locale"
#: Modules of ours whose messages are all told; others say theirs by `t(…)` in a template or `say(…)` in code.
SPEAKING = (values, notice, desk, public, operators, timeline, letters, postmortem_words)
#: Called with a sentence as its last argument that is text.
SAYING = ("t", "say", "mark", "count")
#: CLDR's forms, as gettext writes them: Spanish and Portuguese have one of their own for whole millions.
FORMS = {
    "en": (2, "(n != 1)"),
    "es": (3, "(n == 1 ? 0 : n != 0 && n % 1000000 == 0 ? 1 : 2)"),
    "pt_BR": (3, "(n <= 1 ? 0 : n % 1000000 == 0 ? 1 : 2)"),
}


class Wanted(NamedTuple):
    """A sentence that must be in every catalog. `many` is "" where no number bends it."""

    text: str
    many: str
    where: str


def wanted() -> list[Wanted]:
    """Every sentence once, in the order of the code."""
    found: dict[tuple[str, str], Wanted] = {}
    for each in (*_told(), *_reasons(), *_happened(), *_said()):
        if each.text:
            found.setdefault((each.text, each.many), each)
    return list(found.values())


def _told() -> Iterator[Wanted]:
    for module in SPEAKING:
        where = f"{module.__name__.removeprefix('heliograph.').replace('.', '/')}.py"
        for message in _messages(vars(module)):
            yield Wanted(message.one, message.many, where)
    where = "projections/wording/guide.py"
    yield Wanted(guide.TITLE, "", where)
    for section in guide.SECTIONS:
        for text in (section.heading, *section.paragraphs):
            yield Wanted(text, "", where)
    for text in (*(level.value for level in ReceiptLevel), "contact", "business"):
        # What an event's sentence fills in from a field that is a word.
        yield Wanted(text, "", "domain/events.py")
    for text in prose.NOT_TRANSLATED.values():
        yield Wanted(text, "", "projections/wording/prose.py")


def _messages(thing: Any) -> Iterator[Message]:
    if isinstance(thing, Message):
        yield thing
    elif isinstance(thing, dict):
        for name, value in thing.items():
            if not str(name).startswith("__"):
                yield from _messages(value)


def _reasons() -> Iterator[Wanted]:
    for row in REASONS.values():
        yield Wanted(row.sentence, "", "domain/reasons.py")
        yield Wanted(row.remedy, "", "domain/reasons.py")


def _happened() -> Iterator[Wanted]:
    """What the Events tab of a ticket says."""
    for cls in events.EVENTS.values():
        if cls.__module__ in (events.__name__, desk_events.__name__):
            yield Wanted(cls.sentence, "", "domain/events.py")


def _said() -> Iterator[Wanted]:
    """What templates and pages say."""
    for file in sorted(SOURCE.rglob("*.html")):
        with file.open("rb") as template:
            for _, _, text, _ in babel_extract(template, SAYING, (), {"trimmed": "true"}):
                yield from _wanted(text if isinstance(text, tuple) else (text,), file)
    for file in sorted((SOURCE / "web").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING:
                literals = [
                    argument.value for argument in node.args if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                ]
                yield from _wanted(tuple(literals), file)


def _wanted(texts: tuple[Any, ...], file: Path) -> Iterator[Wanted]:
    known = [text for text in texts if isinstance(text, str)]
    if known:
        yield Wanted(known[0], known[1] if len(known) > 1 else "", file.relative_to(SOURCE).as_posix())


def updated(language: Language) -> str:
    """The catalog of a language as it must be: every wanted sentence, with the translation that it has."""
    old = read_catalog(language) if (FOLDER / f"{language.locale}.po").exists() else Catalog(locale=language.locale)
    new = Catalog(
        locale=language.locale, header_comment=f"# {language.title}: what Heliograph says. Kept by `make catalogs`; see docs/wording.md."
    )
    number, rule = FORMS[language.locale]
    plural_forms = f"nplurals={number}; plural={rule};"
    new.mime_headers = [("Plural-Forms", plural_forms)]
    for each in wanted():
        id: Any = (each.text, each.many) if each.many else each.text
        had = old.get(each.text)
        empty: Any = ("",) * number if each.many else ""
        string = had.string if had is not None and bool(had.pluralizable) == bool(each.many) else empty
        new.add(id, string, locations=[(each.where, 0)])
    out = io.BytesIO()
    head = f'msgid ""\nmsgstr ""\n"Language: {language.locale}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n'
    head += f'"Content-Transfer-Encoding: 8bit\\n"\n"Plural-Forms: {plural_forms}\\n"\n\n'
    write_po(out, new, width=120, omit_header=True, include_lineno=False)
    return f"{new.header_comment}\n{head}{out.getvalue().decode()}"


def main() -> None:
    """Write them all."""
    for language in LANGUAGES:
        (FOLDER / f"{language.locale}.po").write_text(updated(language), "utf-8")


if __name__ == "__main__":
    main()
