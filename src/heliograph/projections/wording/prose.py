"""Text that a person typed: it has one language, and is called untranslated in the others until somebody translates it."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.languages import language_of

NOT_TRANSLATED = {
    "en": "Not translated; written in English.",
    "es": "Not translated; written in Spanish.",
    "pt-BR": "Not translated; written in Portuguese.",
}


class Shown(NamedTuple):
    """Prose as one reader gets it. `mark` is what must stand beside it, "" where it is in the reader's own language."""

    text: str
    #: BCP 47, for the element's `lang`.
    language: str
    mark: str


class Prose(msgspec.Struct, frozen=True):
    """What an operator wrote, and in what language; `translations` by language tag, made by people."""

    language: str
    text: str
    translations: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Prose({self.language!r}, …)"

    def shown(self, reader: str) -> Shown:
        """For a reader of this language: the original, a person's translation, or the original with its mark."""
        wanted, own = language_of(reader).tag, language_of(self.language).tag
        if wanted == own:
            return Shown(self.text, own, "")
        if self.translations.get(wanted, "").strip():
            return Shown(self.translations[wanted], wanted, "")
        return Shown(self.text, own, translate(wanted, NOT_TRANSLATED[own]))

    def translated(self, language: str, text: str) -> "Prose":
        """With somebody's translation; an empty one takes it back."""
        tag = language_of(language).tag
        rest = {key: value for key, value in self.translations.items() if key != tag}
        return Prose(self.language, self.text, {**rest, tag: text} if text.strip() else rest)

    def missing(self, languages: tuple[str, ...]) -> tuple[str, ...]:
        """Which of these languages it is not there in."""
        return tuple(tag for tag in languages if self.shown(tag).mark)
