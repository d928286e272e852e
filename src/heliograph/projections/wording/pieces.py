"""What a rendering is made of: text in which every fact is a piece of its own and says which fact it is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from heliograph.projections.wording.catalogs import plural, translate

HOLE = re.compile(r"\{([a-z_]+)\}")


class Piece(NamedTuple):
    """Some text. `fact` is the key of the fact that it states, "" for words."""

    text: str
    fact: str = ""


Line = tuple[Piece, ...]
Values = Mapping[str, Piece | Line]


class Message(NamedTuple):
    """A sentence of ours, in English, by which it is translated. `{holes}` are facts.

    One with `many` has a form for each number; `by` is the hole whose number decides.
    """

    one: str
    many: str = ""
    by: str = ""


def one(text: str) -> Message:
    """A sentence that no number bends."""
    return Message(text)


def counted(singular: str, many: str, *, by: str) -> Message:
    """A sentence that the number in the hole `by` bends."""
    return Message(singular, many, by)


class Rendering(NamedTuple):
    """What one reader gets. `kind` is its template's name, `language` a BCP 47 tag."""

    kind: str
    language: str
    title: Line
    paragraphs: tuple[Line, ...]
    #: Keys of the facts that it must hold; `missing` says which it does not.
    required: frozenset[str]

    @property
    def heading(self) -> str:
        """The title as plain text."""
        return flat(self.title)

    @property
    def body(self) -> str:
        """The paragraphs as plain text, a blank line between them."""
        return "\n\n".join(flat(paragraph) for paragraph in self.paragraphs)

    @property
    def missing(self) -> frozenset[str]:
        """Required facts that it lacks; a rendering that is made lacks none."""
        return self.required - set(facts_in(self))


class Incomplete(LookupError):
    """A rendering lacks a fact that it must hold. The message names the rendering, the language and the facts."""


def facts_in(rendering: Rendering) -> dict[str, str]:
    """Every fact that a rendering states, by its key, as the reader sees it."""
    return {piece.fact: piece.text for line in (rendering.title, *rendering.paragraphs) for piece in line if piece.fact}


def rendering(kind: str, language: str, title: Line, paragraphs: Iterable[Line], *, required: Iterable[str]) -> Rendering:
    """A rendering that holds all that it must. Raises Incomplete."""
    made = Rendering(kind, language, title, tuple(line for line in paragraphs if line), frozenset(required))
    if made.missing:
        raise Incomplete(f"{kind} in {language} lacks {', '.join(sorted(made.missing))}")
    return made


def fill(language: str, message: Message, values: Values, numbers: Mapping[str, int]) -> Line:
    """The sentence in this language with its facts in place. Raises KeyError for a hole that nothing fills."""
    one, many = message.one, message.many
    text = plural(language, one, many, numbers[message.by]) if many else translate(language, one)
    line: list[Piece] = []
    for place, part in enumerate(HOLE.split(text)):
        if place % 2:
            value = values[part]
            line += [value] if isinstance(value, Piece) else value
        elif part:
            line.append(Piece(part))
    return tuple(line)


def joined(lines: Sequence[Line]) -> Line:
    """Sentences in one paragraph."""
    found: list[Piece] = []
    for line in lines:
        if found and line:
            found.append(Piece(" "))
        found += line
    return tuple(found)


def flat(line: Line) -> str:
    """Plain text."""
    return "".join(piece.text for piece in line)
