"""The timeline of a post-mortem as a picture: how long nobody knew, how long it lasted, and how long what waited took to go out."""

from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

from heliograph.projections.postmortem import Moment

WIDTH, LEFT, RIGHT, TOP = 720, 12, 12, 18
BAR = 26
ROW = 18
#: Moments on the picture, in the order of their rows.
SHOWN = ("onset", "detected", "noticed", "mitigated", "resolved")
#: Bars: class, from, to. Together they cover all from onset to the end.
BARS = (("blind", "onset", "detected"), ("known", "detected", "mitigated"), ("drain", "mitigated", "resolved"))
#: About as wide as a letter of the labels is.
LETTER = 6.4


class Mark(NamedTuple):
    """A labelled moment."""

    x: float
    label: str


def picture(moments: Sequence[Moment], *, title: str, name: Callable[[str], str], offset: Callable[[int], str]) -> str:
    """An SVG element. `name` gives a moment's name in the reader's language, `offset` the time since onset as text."""
    at = {moment.name: moment.at for moment in moments if moment.at}
    start = at.get("onset", 0)
    end = max([at[one] for one in SHOWN if one in at], default=start)
    span = max(end - start, 1)

    def x(moment: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (moment - start) / span

    bars = [
        f'<rect class="{kind}" x="{x(at[since]):.1f}" y="{TOP}" width="{max(x(at[until]) - x(at[since]), 1):.1f}" height="{BAR}"/>'
        for kind, since, until in BARS
        if since in at and until in at
    ]
    marks = [Mark(x(at[one]), f"{name(one)} {offset(at[one] - start)}" if at[one] > start else name(one)) for one in SHOWN if one in at]
    lines = [_mark(mark, row) for row, mark in enumerate(marks)]
    height = TOP + BAR + 12 + ROW * len(marks) + 6
    label = escape(title)
    return (
        f'<svg class="picture" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{label}</title>{''.join(bars)}"
        f'<line class="axis" x1="{LEFT}" y1="{TOP + BAR}" x2="{WIDTH - RIGHT}" y2="{TOP + BAR}"/>{"".join(lines)}</svg>'
    )


def _mark(mark: Mark, row: int) -> str:
    """A tick down from the bar to the row of its label, which stands on the side where there is room."""
    y = TOP + BAR + 14 + ROW * row
    right = mark.x + 6 + LETTER * len(mark.label) > WIDTH - RIGHT
    side = "end" if right else "start"
    at = mark.x - 6 if right else mark.x + 6
    return (
        f'<line class="tick" x1="{mark.x:.1f}" y1="{TOP - 4}" x2="{mark.x:.1f}" y2="{y + 4}"/>'
        f'<text x="{at:.1f}" y="{y + 4}" text-anchor="{side}">{escape(mark.label)}</text>'
    )
