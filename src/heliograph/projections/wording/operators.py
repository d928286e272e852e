"""What the operators of the installation are paged with: the public words, and what only they may know."""

from heliograph.projections.facts import Facts
from heliograph.projections.wording import public
from heliograph.projections.wording.pieces import Piece, Rendering, fill, joined, one, rendering
from heliograph.projections.wording.values import numbers, values

TITLE = one("Incident {number} ({severity}): replies through {provider} delayed ({day})")
OVER = one("Incident {number} is resolved: replies through {provider} delayed ({day})")
LINK = one("Look at it: {link}")


def page(facts: Facts, language: str, *, link: str) -> Rendering:
    """Short enough for a pager's screen at the top; release and setting at fault are named. `link` may be ""."""
    written, bends = values(language, facts), numbers(facts)
    told = public.update(facts, language)
    fault = []
    required = {"number", "severity"} - ({"severity"} if facts.resolved_at else set())
    for name, message in (("release", public.RELEASE), ("variable", public.VARIABLE)):
        if getattr(facts, name):
            fault.append(fill(language, message, written, bends))
            required.add(name)
    ends = [fill(language, LINK, {"link": Piece(link, "link")}, {})] if link else []
    title = fill(language, OVER if facts.resolved_at else TITLE, written, bends)
    return rendering("page", language, title, [*told.paragraphs, joined(fault), *ends], required=(told.required - {"phase"}) | required)
