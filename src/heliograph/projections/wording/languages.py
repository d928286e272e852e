"""Which languages we speak, what they are called, and which of them somebody gets."""

from typing import NamedTuple


class Language(NamedTuple):
    """One language of ours."""

    #: BCP 47, as in `lang` and `hreflang`.
    tag: str
    #: In addresses: /status/pt.
    slug: str
    #: As Babel and gettext call it; the name of the catalog.
    locale: str
    #: Its own name for itself.
    title: str


EN = Language("en", "en", "en", "English")
ES = Language("es", "es", "es", "Español")
PT = Language("pt-BR", "pt", "pt_BR", "Português (Brasil)")
#: In the order in which they are listed; the first is what nobody's wish falls back to.
LANGUAGES: tuple[Language, ...] = (EN, ES, PT)


def known(wanted: str) -> Language | None:
    """The language that a tag, locale or slug such as "pt-BR", "pt_PT", "ES" or "en-GB" asks for; None where we do not speak it."""
    main = wanted.strip().replace("_", "-").lower().partition("-")[0]
    return next((language for language in LANGUAGES if language.slug == main), None)


def language_of(wanted: str) -> Language:
    """The same, and English where we do not speak it."""
    return known(wanted) or EN


def negotiate(accept_language: str) -> Language | None:
    """What a browser's Accept-Language asks for first among ours, or None. A malformed weight counts as none."""
    wishes = []
    for place, wish in enumerate(accept_language.split(",")[:32]):
        tag, _, rest = wish.partition(";")
        language = known(tag)
        weight = _weight(rest)
        if language is not None and weight > 0:
            wishes.append((-weight, place, language))
    return min(wishes)[2] if wishes else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
