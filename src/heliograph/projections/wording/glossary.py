"""One term for one thing in each language, and what breaks that: for the check of the catalogs, and for who translates."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import NamedTuple

import msgspec
from babel.messages.catalog import Catalog

from heliograph.projections.wording.languages import EN, Language


class Term(msgspec.Struct, forbid_unknown_fields=True):
    """How a language says one of our words. All in every form in which they occur."""

    #: Where the English has one of these, …
    english: tuple[str, ...]
    #: … the translation has one of these, …
    term: tuple[str, ...]
    #: … and no sentence ever has one of these.
    never: tuple[str, ...]


class Breach(NamedTuple):
    """A translation that does not keep to the glossary. `why` says what to change."""

    english: str
    translation: str
    why: str


@cache
def glossary(language: Language) -> dict[str, Term]:
    """The terms of a language by our word for them; English has none of its own."""
    if language == EN:
        return {}
    data = resources.files(__package__).joinpath("glossary", f"{language.locale}.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, Term])


def breaches(language: Language, catalog: Catalog) -> list[Breach]:
    """Every sentence of a catalog that uses another word than the glossary's, or one that it forbids."""
    found = []
    for message in catalog:
        english = message.id if isinstance(message.id, str) else " ".join(message.id)
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        for form in forms if english else ():
            for name, term in glossary(language).items():
                if _has(english, term.english) and not _has(form, term.term):
                    found.append(Breach(english, form, f"“{name}” is {' or '.join(term.term)}"))
                found += [Breach(english, form, f"“{word}” is not our word for “{name}”") for word in term.never if _has(form, (word,))]
    return found


def _has(text: str, words: Iterable[str]) -> bool:
    # A hole is no word: {tickets} says nothing about how a ticket is called.
    plain = re.sub(r"\{[a-z_]+\}", " ", text)
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", plain, re.I) for word in words)
