"""In every language each rendering holds the same facts with the same numerals, the date with its year, and the right plural."""

import re
from collections import Counter
from datetime import UTC, datetime

import pytest
from babel.numbers import parse_decimal
from hypothesis import given, settings, strategies as st

from heliograph.domain.reasons import Reason
from heliograph.projections.facts import Facts
from heliograph.projections.wording import notice, public
from heliograph.projections.wording.catalogs import translate
from heliograph.projections.wording.languages import EN, ES, LANGUAGES, PT, language_of, negotiate
from heliograph.projections.wording.pieces import Incomplete, Piece, Rendering, facts_in, fill, rendering
from heliograph.projections.wording.prose import Prose
from heliograph.projections.wording.values import number

TAGS = [language.tag for language in LANGUAGES]
NUMERAL = re.compile(r"\d(?:[\d.,]*\d)?")


def at(hour: int, minute: int, second: float = 0) -> int:
    return int(datetime(2020, 8, 6, hour, minute, tzinfo=UTC).timestamp() * 1_000_000 + second * 1_000_000)


SIXTH_OF_AUGUST = Facts(
    "inc_1", 1, "identified", "major", "bad_credentials", "Sunshine Conversations", at(19, 2), at(19, 2, 0.4), at(19, 2, 0.6), at(19, 2, 2),
    0, 0, "r42", "HELIOGRAPH_SUNSHINE_SECRET", 3, 12, 1000, 4, 980, 15, 5, 0, 0, 0,
)  # fmt: skip
AFTERWARDS = SIXTH_OF_AUGUST._replace(phase="resolved", mitigated_at=at(19, 11), resolved_at=at(19, 40), waiting=0, sent_late=995)


def renderings(facts: Facts, tag: str) -> list[Rendering]:
    return [
        notice.banner(facts, tag), notice.detail(facts, tag), notice.account(facts, tag),
        notice.mail(facts, tag, account_name="Acme", link="https://desk.example/desk/account", help_link="https://desk.example/help"),
        public.title(facts, tag), public.update(facts, tag), public.postmortem(facts, tag),
    ]  # fmt: skip


def numerals(made: Rendering) -> Counter[str]:
    """Every number in the text, read as the language writes it."""
    locale = language_of(made.language).locale
    text = f"{made.heading}\n{made.body}"
    return Counter(
        str(parse_decimal(found, locale=locale).normalize()) for found in NUMERAL.findall(re.sub(r"(\d\d):(\d\d)", r"\1 \2", text))
    )


counts = st.one_of(st.sampled_from([0, 1, 2, 21, 1000, 1_000_000]), st.integers(0, 2_000_000))
moments = st.integers(at(0, 0), at(0, 0) + 400 * 86_400_000_000)


@st.composite
def records(draw: st.DrawFn) -> Facts:
    waiting, late, asked, failed, dropped, lost = (draw(counts) for _ in range(6))
    onset = draw(moments)
    steps = [onset + sum(draw(st.lists(st.integers(0, 9 * 86_400_000_000), max_size=3))) for _ in range(5)]
    detected, declared, noticed, mitigated, resolved = sorted(steps)
    phase = draw(st.sampled_from(["investigating", "identified", "monitoring", "resolved", "postmortem"]))
    over, done = phase not in ("investigating", "identified"), phase in ("resolved", "postmortem")
    return Facts(
        "inc_1", draw(counts), phase, draw(st.sampled_from(["minor", "major", "critical"])), draw(st.sampled_from([*Reason])).value,
        draw(st.sampled_from(["", "Telegram", "Sunshine Conversations"])), onset, detected, declared, noticed, mitigated if over else 0,
        resolved if done else 0, "", "", draw(counts), draw(counts), waiting + late + asked + failed + dropped + lost, draw(counts),
        waiting, late, asked, failed, dropped, lost,
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(records())
def test_every_language_holds_the_same_facts_with_the_same_numerals(facts: Facts) -> None:
    english = renderings(facts, "en")
    for tag in TAGS:
        for ours, theirs in zip(renderings(facts, tag), english, strict=True):
            assert set(facts_in(ours)) == set(facts_in(theirs)), ours.kind
            assert ours.required == theirs.required <= set(facts_in(ours))
            assert numerals(ours) == numerals(theirs), f"{ours.heading}\n{ours.body}\n{theirs.heading}\n{theirs.body}"
            year = str(datetime.fromtimestamp(facts.onset_at / 1_000_000, UTC).year)
            assert year in f"{ours.heading}\n{ours.body}", f"the date of {ours.kind} lost its year"


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("facts", [SIXTH_OF_AUGUST, AFTERWARDS])
def test_the_notices_of_2020_keep_their_date_time_provider_and_reason(tag: str, facts: Facts) -> None:
    date = {"en": "August 6, 2020", "es": "6 de agosto de 2020", "pt-BR": "6 de agosto de 2020"}[tag]
    cause = {"en": "did not accept the credentials", "es": "no aceptó las credenciales", "pt-BR": "não aceitou as credenciais"}[tag]
    for made in renderings(facts, tag):
        text = f"{made.heading}\n{made.body}"
        assert date in text and "Sunshine Conversations" in text, made.kind
        if made.kind != "public_title":
            assert "19:02" in text and "UTC" in text and cause in text, made.kind


def test_no_language_says_a_sentence_in_english() -> None:
    for facts in (SIXTH_OF_AUGUST, AFTERWARDS):
        for tag in ("es", "pt-BR"):
            for ours, english in zip(renderings(facts, tag), renderings(facts, "en"), strict=True):
                assert not {line for line in ours.paragraphs if len(line) > 1} & set(english.paragraphs)


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (0, ("0 are waiting", "0 están en espera", "0 está aguardando")),
        (1, ("1 is waiting", "1 está en espera", "1 está aguardando")),
        (2, ("2 are waiting", "2 están en espera", "2 estão aguardando")),
        (21, ("21 are waiting", "21 están en espera", "21 estão aguardando")),
        (1000, ("1,000 are waiting", "1.000 están en espera", "1.000 estão aguardando")),
    ],
)
def test_the_number_bends_the_sentence(waiting: int, words: tuple[str, str, str]) -> None:
    # With nothing waiting the sentence is left away; its form for 0 still has to be right.
    for tag, expected in zip(TAGS, words, strict=True):
        made = notice.BECAME["waiting"]
        line = fill(tag, made, {"waiting": Piece(number(tag, waiting), "waiting")}, {"waiting": waiting})
        assert "".join(piece.text for piece in line).startswith(expected)


def test_whole_millions_have_a_form_of_their_own() -> None:
    facts = SIXTH_OF_AUGUST._replace(waiting=999_980, replies=1_000_000)
    assert "1.000.000 de respuestas en 12 tickets" in notice.detail(facts, "es").body
    assert "1.000.000 de respostas em 12 tickets" in notice.detail(facts, "pt").body
    assert "1,000,000 replies on 12 tickets" in notice.detail(facts, "en").body


def test_a_rendering_that_lacks_a_fact_is_not_made() -> None:
    with pytest.raises(Incomplete, match="banner in es lacks onset_at"):
        rendering(
            "banner",
            "es",
            (Piece("Las respuestas están en espera"),),
            [(Piece("Telegram", "provider"),)],
            required=("onset_at", "provider"),
        )


def test_what_agents_and_accounts_read_names_no_setting() -> None:
    for tag in TAGS:
        for made in renderings(AFTERWARDS, tag)[:-1]:
            assert "HELIOGRAPH_" not in made.body and "r42" not in made.body


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        ("es-MX,es;q=0.9,en;q=0.8", ES), ("pt-PT", PT), ("de,fr;q=0.9", None), ("de, pt;q=0.5, en;q=0.7", EN), ("en;q=0, es;q=0.1", ES),
        ("", None), ("es;q=abc", None), ("*", None),
    ],
)  # fmt: skip
def test_a_browser_gets_the_language_that_it_likes_best(asked: str, got: object) -> None:
    assert negotiate(asked) == got


def test_typed_text_is_marked_until_somebody_translates_it() -> None:
    typed = Prose("en", "We are talking to the provider.")
    assert typed.shown("en-GB") == ("We are talking to the provider.", "en", "")
    assert typed.shown("es") == ("We are talking to the provider.", "en", "Sin traducir; escrito en inglés.")
    assert typed.missing(("en", "es", "pt-BR")) == ("es", "pt-BR")
    translated = typed.translated("es", "Estamos hablando con el proveedor.")
    assert translated.shown("es") == ("Estamos hablando con el proveedor.", "es", "")
    assert translated.shown("pt").mark == "Não traduzido; escrito em inglês."
    assert translated.translated("es", " ").missing(("es",)) == ("es",)
    assert "provider" not in repr(typed)


def test_what_no_catalog_has_stays_as_it_is() -> None:
    assert translate("es", "No such sentence.") == "No such sentence."
    assert translate("es", "") == ""
