"""The catalogs are complete, hold the same facts in every form, and keep to the glossary."""

import pytest
from babel.messages.catalog import Catalog

from heliograph.projections.wording.catalogs import read_catalog
from heliograph.projections.wording.glossary import breaches, glossary
from heliograph.projections.wording.languages import EN, ES, LANGUAGES, PT, Language
from heliograph.projections.wording.pieces import HOLE
from tools.catalogs import FOLDER, updated, wanted

TRANSLATED = [language for language in LANGUAGES if language != EN]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.tag)
def test_the_catalog_holds_what_the_code_says(language: Language) -> None:
    assert (FOLDER / f"{language.locale}.po").read_text("utf-8") == updated(language), "run: make catalogs, and translate what is new"


@pytest.mark.parametrize("language", TRANSLATED, ids=lambda language: language.tag)
def test_everything_is_translated_and_reviewed(language: Language) -> None:
    catalog = read_catalog(language)
    for each in wanted():
        message = catalog.get(each.text)
        assert message is not None and not message.fuzzy, each.text
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        assert len(forms) == (3 if each.many else 1) and all(form.strip() for form in forms), f"not translated: {each.text}"
        for form in forms:
            assert sorted(set(HOLE.findall(form))) == sorted(set(HOLE.findall(each.text))), f"facts differ: {each.text} / {form}"
            ends = ".:?!"
            assert (form[-1] in ends) == (each.text[-1] in ends), f"ends differently: {each.text} / {form}"


@pytest.mark.parametrize("language", TRANSLATED, ids=lambda language: language.tag)
def test_the_translations_keep_to_the_glossary(language: Language) -> None:
    assert breaches(language, read_catalog(language)) == []


def test_both_glossaries_have_the_same_words() -> None:
    assert set(glossary(ES)) == set(glossary(PT))
    assert {name: term.english for name, term in glossary(ES).items()} == {name: term.english for name, term in glossary(PT).items()}


def test_what_was_mistranslated_in_2020_would_be_found() -> None:
    catalog = Catalog(locale="es")
    catalog.add("Open the ticket.", "Abra el boleto.")
    catalog.add("Your reply is waiting.", "Su respuesta está en espera.")
    catalog.add("An incident.", "Una incidencia.")
    found = [breach.why for breach in breaches(ES, catalog)]
    assert found == [
        "“ticket” is ticket or tickets", "“boleto” is not our word for “ticket”", "“incident” is incidente or incidentes",
        "“incidencia” is not our word for “incident”",
    ]  # fmt: skip
