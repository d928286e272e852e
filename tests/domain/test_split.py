"""Text is split where a reader would, loses nothing visible, and no grapheme is broken."""

import time

import pytest
import regex
from hypothesis import given, settings, strategies as st

from heliograph.domain.split import Measure, characters, graphemes, split_text, utf8_bytes, utf16_units

#: Pieces in which clusters, boundaries and their traps are frequent.
ATOMS = st.sampled_from(
    [
        *"ab \n\t.,!?\r\u00a0\u200b\u200c\u200d\ufe0f\u0301\u0308\u20e3\u2028\u2029\x00",
        *("\r\n", "\n\n", ". ", "word ", "https://example.org/a/b?c=d ", "。", "、", "これは", "ไทย", "नमस्ते", "क्षि", "தமிழ்", "한국어"),
        *("\u1112\u1161\u11ab", "\u1100", "\u1161", "\u11a8", "가", "각", "🇺🇦", "🇩", "👨\u200d👩\u200d👧\u200d👦", "👍🏽", "🏽"),
        *("❤️", "1️⃣"),
        *("🏴\U000e0067\U000e0062\U000e007f", "นำ", "مرحبا بك. ", "שלום עולם! ", "\u0600"),
        *("\u0d4e", "é", "e\u0301", "\uff9e", "😀", "𝔘", "\U0010ffff", "\u1ad0"),
    ]
)
TEXTS = st.one_of(st.lists(ATOMS, max_size=60).map("".join), st.text(st.characters(codec="utf-8"), max_size=120))
MEASURES = st.sampled_from([characters, utf16_units, utf8_bytes])


def visible(text: str) -> str:
    return "".join(text.split())


def boundaries(clusters: list[str]) -> set[int]:
    position, found = 0, set()
    for cluster in clusters:
        position += len(cluster)
        found.add(position)
    return found


@given(TEXTS)
@settings(max_examples=1500)
def test_graphemes_never_break_what_the_standard_keeps_together(text: str) -> None:
    """`regex` implements Unicode annex 29 on its own; keeping more together than it is allowed, less is not."""
    ours = list(graphemes(text))
    assert "".join(ours) == text
    assert boundaries(ours) <= boundaries(regex.findall(r"\X", text))


@pytest.mark.parametrize(
    "text",
    [
        *("Hello", "e\u0301a", "👨\u200d👩\u200d👧\u200d👦👍🏽", "🇺🇦🇩🇪🇫🇷", "🇺🇦a🇩🇪", "नमस्ते", "한국어"),
        *("\u1112\u1161\u11ab\u1100\u1161", "a\r\nb\n\rc", "❤️1️⃣", "\x00\u0301"),
        *("🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f🙂", "ไทย", "\u200b\u0301", "مرحبا", "a\u0300\u0301\u0302b", ""),
    ],
)
def test_graphemes_agree_with_the_standard_on_plain_cases(text: str) -> None:
    assert list(graphemes(text)) == regex.findall(r"\X", text)


@given(TEXTS, MEASURES, st.integers(4, 40))
@settings(max_examples=1500)
def test_parts_fit_lose_nothing_and_break_no_grapheme(text: str, measure: Measure, limit: int) -> None:
    parts = split_text(text, limit, measure=measure)
    assert all(measure(part) <= limit for part in parts)
    assert all(visible(part) for part in parts)
    assert visible("".join(parts)) == visible(text)
    assert bool(parts) == bool(visible(text))
    allowed = boundaries(regex.findall(r"\X", text)) | {0}
    oversized = any(measure(cluster) > limit for cluster in graphemes(text))
    position = 0
    for part in parts:
        position = text.index(part, position)
        if not oversized:
            assert position in allowed and position + len(part) in allowed
        position += len(part)


@given(TEXTS, MEASURES)
def test_what_fits_stays_whole(text: str, measure: Measure) -> None:
    assert split_text(text, 10_000, measure=measure) == ([text] if visible(text) else [])


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("First one.\n\nSecond one. Third.", 24, ["First one.", "Second one. Third."]),
        ("First one.\nSecond one. Third.", 24, ["First one.\nSecond one.", "Third."]),
        ("One two. Three four five", 17, ["One two.", "Three four five"]),
        ('He said "Go!" And then left', 22, ['He said "Go!"', "And then left"]),
        ("alpha beta gamma", 12, ["alpha beta", "gamma"]),
        ("alpha beta gamma", 10, ["alpha beta", "gamma"]),
        ("abcdefghij", 4, ["abcd", "efgh", "ij"]),
        ("see https://example.org/x", 22, ["see", "https://example.org/x"]),
        ("これは一つ。これは二つ", 8, ["これは一つ。", "これは二つ"]),
        ("שלום עולם טוב", 10, ["שלום עולם", "טוב"]),
        ("100\u00a0km away from", 10, ["100\u00a0km", "away from"]),
        ("a\u0301" * 5, 4, ["a\u0301a\u0301", "a\u0301a\u0301", "a\u0301"]),
        ("   " * 50, 10, []),
        ("ab" + " " * 50 + "cd", 10, ["ab", "cd"]),
    ],
)
def test_boundaries_a_reader_would_choose(text: str, limit: int, parts: list[str]) -> None:
    assert split_text(text, limit) == parts


@pytest.mark.parametrize("extra", ["x", "😀", "e\u0301", "👨\u200d👩\u200d👧", "ש"])
@pytest.mark.parametrize("measure", [characters, utf16_units, utf8_bytes])
def test_at_the_limit_and_just_beyond_it(extra: str, measure: Measure) -> None:
    limit = 4096
    fitting = extra * (limit // measure(extra))
    assert split_text(fitting, limit, measure=measure) == [fitting]
    assert split_text(fitting + extra, limit, measure=measure) == [fitting, extra]


def test_a_letter_under_a_pile_of_marks_is_cut_all_the_same() -> None:
    text = "a" + "\u0301" * 100
    parts = split_text(text, 30)
    assert "".join(parts) == text and max(map(len, parts)) == 30


def test_a_limit_below_one_character_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller than one character"):
        split_text("😀😀", 1, measure=utf16_units)


@pytest.mark.parametrize("unit", ["x", "word ", "a. ", "\n", " ", "🇺", "e\u0301", "x " + "y" * 300])
def test_time_grows_with_the_text_and_no_faster(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        best = 9.0
        for _ in range(3):
            started = time.process_time()
            split_text(text, 300)
            best = min(best, time.process_time() - started)
        return best

    assert seconds(160_000) < 16 * max(seconds(20_000), 0.002), "eight times the text must not take sixteen times as long"
