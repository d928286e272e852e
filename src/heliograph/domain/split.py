"""Splits text at a provider's limit where a reader would, and never inside what a reader sees as one character."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from unicodedata import category, combining

Measure = Callable[[str], int]
"""Length of a text in a provider's unit. It must add up: the measure of a whole is the sum over its characters."""


def characters(text: str) -> int:
    """Length in Unicode code points."""
    return len(text)


def utf16_units(text: str) -> int:
    """Length in UTF-16 code units, as JavaScript and Java count: an emoji is at least two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf8_bytes(text: str) -> int:
    """Length in bytes of UTF-8. A lone surrogate, which UTF-8 cannot carry, counts three."""
    return len(text.encode("utf-8", "surrogatepass"))


# --- extended grapheme clusters (Unicode annex 29) -------------------------------------------------

ZWJ = "\u200d"

#: Letters that begin a cluster with what follows: numeral signs of Arabic and Syriac, conjunct letters of Indic scripts.
PREPEND = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3\U000113d1"
    "\U0001193f\U00011941\U00011a84\U00011a85\U00011a86\U00011a87\U00011a88\U00011a89\U00011d46\U00011f02"
)

#: Extend without being a mark: ZWNJ, the half-width kana voicing marks, Thai and Lao "am".
EXTRA_EXTEND = frozenset("\u200c\uff9e\uff9f\u0e33\u0eb3")

CONTROLS = frozenset({"Cc", "Zl", "Zp"})
MARKS = frozenset({"Mn", "Me", "Mc"})

#: Canonical combining class of a virama, which ties two consonants of an Indic script.
VIRAMA = 9


def _hangul(char: str) -> str:
    """L, V or T for conjoining jamo, LV or LVT for syllables, "" for anything else."""
    if "\u1100" <= char <= "\u115f" or "\ua960" <= char <= "\ua97c":
        return "L"
    if "\u1160" <= char <= "\u11a7" or "\ud7b0" <= char <= "\ud7c6":
        return "V"
    if "\u11a8" <= char <= "\u11ff" or "\ud7cb" <= char <= "\ud7fb":
        return "T"
    if "\uac00" <= char <= "\ud7a3":
        return "LVT" if (ord(char) - 0xAC00) % 28 else "LV"
    return ""


def _extends(char: str) -> bool:
    """Marks, joiners, variation selectors, skin tones and tags: never apart from what they follow."""
    kind = category(char)
    return (
        kind in MARKS
        # A letter younger than this Python's tables may be a mark; emoji, which begin further up, are not.
        or (kind == "Cn" and char < "\U0001f000")
        or char == ZWJ
        or char in EXTRA_EXTEND
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _controls(char: str) -> bool:
    kind = category(char)
    return kind in CONTROLS or (kind == "Cf" and not _extends(char) and char not in PREPEND)


def _joined(before: str, after: str, *, odd_flag: bool) -> bool:
    """Whether no boundary lies between two neighbours. `odd_flag`: `before` is the first half of a flag."""
    if before < "\u0300" and after < "\u0300":
        return before == "\r" and after == "\n"
    if _controls(before) or _controls(after):
        return False
    if _extends(after) or before in PREPEND:
        return True
    if before == ZWJ:
        # Meant for emoji sequences; joining other things as well keeps more together, never less.
        return True
    if "\U0001f1e6" <= after <= "\U0001f1ff":
        return odd_flag
    if combining(before) == VIRAMA and category(after) == "Lo":
        return True
    left, right = _hangul(before), _hangul(after)
    return (
        (left == "L" and right in ("L", "V", "LV", "LVT"))
        or (left in ("V", "LV") and right in ("V", "T"))
        or (left in ("T", "LVT") and right == "T")
    )


def graphemes(text: str) -> Iterator[str]:
    """What a reader sees as single characters, in order; joined they are the text again."""
    start = 0
    odd_flag = False
    for index in range(1, len(text)):
        before = text[index - 1]
        odd_flag = "\U0001f1e6" <= before <= "\U0001f1ff" and not odd_flag
        if not _joined(before, text[index], odd_flag=odd_flag):
            yield text[start:index]
            start = index
    if text:
        yield text[start:]


# --- boundaries ------------------------------------------------------------------------------------

HARD, WORD, SENTENCE, LINE, PARAGRAPH = range(5)

ENDS_SENTENCE = frozenset(".!?…؟।")
CLOSES = frozenset("\"'”’»)]}›）」』")
ENDS_SENTENCE_UNSPACED = frozenset("。！？｡")
ENDS_CLAUSE_UNSPACED = frozenset("、，；：")

#: The best boundary is sought in the last half of a part, so that no part is needlessly short.
FILL = 0.5


def _ranks(clusters: list[str]) -> list[int]:
    """How good a place the end of each cluster is to stop at."""
    ranks = [HARD] * len(clusters)
    ended = False
    for index, cluster in enumerate(clusters):
        if cluster.isspace():
            if cluster in ("\n", "\r\n", "\r", "\u2028", "\u2029", "\x85"):
                again = index > 0 and ranks[index - 1] >= LINE
                ranks[index] = PARAGRAPH if again or cluster == "\u2029" else LINE
            elif not _no_break(cluster):
                ranks[index] = SENTENCE if ended else WORD
                # A line's end stays one through the blanks after it.
                if index > 0 and ranks[index - 1] >= LINE:
                    ranks[index] = ranks[index - 1]
            ended = False
        elif cluster in ENDS_SENTENCE_UNSPACED:
            ranks[index] = SENTENCE
            ended = True
        elif cluster in ENDS_CLAUSE_UNSPACED:
            ranks[index] = WORD
            ended = False
        elif cluster in ENDS_SENTENCE:
            ended = True
        elif cluster not in CLOSES:
            ended = False
    return ranks


def _no_break(cluster: str) -> bool:
    return cluster[0] in "\u00a0\u202f\u2007"


def _stop(ranks: list[int], ends: list[int], *, start: int, fit: int, half: float) -> int:
    """Where a part that begins at cluster `start` and can hold all before `fit` should end."""
    best, stop = HARD, fit
    for index in range(fit - 1, start - 1, -1):
        if ends[index] < half and best > HARD:
            break
        if ranks[index] > best:
            best, stop = ranks[index], index + 1
        if best == PARAGRAPH:
            break
    return stop


def _pieces(text: str, limit: int, measure: Measure) -> list[str]:
    """Clusters, and where one alone is over the limit its characters."""
    found: list[str] = []
    for cluster in graphemes(text):
        if len(cluster) > 1 and measure(cluster) > limit:
            found.extend(cluster)
        else:
            found.append(cluster)
    return found


def split_text(text: str, limit: int, *, measure: Measure = characters) -> list[str]:
    """Parts of `text`, in order, none longer than `limit` by `measure`, none blank.

    Stops at the end of a paragraph, else a line, a sentence, a word, and only then anywhere
    between two graphemes. White space at a cut goes; nothing else does. A single grapheme longer
    than the limit (a letter under a pile of marks) is cut between its characters. Takes time in
    proportion to the text. Raises ValueError if a single character is over the limit.
    """
    if measure(text) <= limit:
        return [] if not text or text.isspace() else [text]
    clusters = _pieces(text, limit, measure)
    lengths = [measure(cluster) for cluster in clusters]
    if max(lengths) > limit:
        raise ValueError("the limit is smaller than one character")
    blank = [cluster.isspace() for cluster in clusters]
    ends = list(accumulate(lengths))
    offsets = [0, *accumulate(map(len, clusters))]
    ranks = _ranks(clusters)
    parts: list[str] = []
    start = 0
    while start < len(clusters):
        base = ends[start] - lengths[start]
        fit = bisect_right(ends, base + limit)
        # White space may hang over the limit, for at a cut it goes.
        while fit < len(clusters) and blank[fit]:
            fit += 1
        stop = fit if fit == len(clusters) else _stop(ranks, ends, start=start, fit=fit, half=base + limit * FILL)
        seen = stop
        while seen > start and blank[seen - 1] and ends[seen - 1] > base + (0 if stop < len(clusters) else limit):
            seen -= 1
        if not all(blank[start:seen]):
            parts.append(text[offsets[start] : offsets[seen]])
        start = stop
        while start < len(clusters) and blank[start]:
            start += 1
    return parts
