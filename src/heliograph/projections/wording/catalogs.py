"""The translations: gettext catalogs that lie beside this file and are read as they are, so that no compiled copy can be out of date."""

import io
from functools import cache
from gettext import GNUTranslations
from importlib import resources

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from heliograph.projections.wording.languages import Language, language_of


def read_catalog(language: Language) -> Catalog:
    """A language's catalog, whole: for what works on catalogs. To speak, use `translate`."""
    text = resources.files(__package__).joinpath("locale", f"{language.locale}.po").read_text("utf-8")
    return read_po(io.StringIO(text), locale=language.locale, abort_invalid=True)


@cache
def _loaded(language: Language) -> GNUTranslations:
    compiled = io.BytesIO()
    write_mo(compiled, read_catalog(language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def translate(locale: str, msgid: str) -> str:
    """The sentence in this language ("es", "pt-BR", "es_MX"…); where the catalog lacks it, as it is. "" stays ""."""
    # The empty msgid is the catalog's own head.
    return _loaded(language_of(locale)).gettext(msgid) if msgid else ""


def plural(locale: str, one: str, many: str, number: int) -> str:
    """The form of a sentence that this language uses for a number."""
    return _loaded(language_of(locale)).ngettext(one, many, number)
