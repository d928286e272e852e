"""The plot of the benchmark: horizontal bars from zero, written by hand."""

from collections.abc import Sequence
from html import escape

_LEFT, _WIDTH, _ROW, _TOP = 310, 460, 34, 46
_COLOURS = {"limit": "#a8a396", "heliograph": "#d98e04", "peer": "#5b7c99"}


def bars(rows: Sequence[tuple[str, str, float, float, float]], *, title: str) -> str:
    """An SVG image. A row: label, kind (see `bench.registry`), median, lowest and highest, in replies a second."""
    most = max(row[4] for row in rows)
    step = _step(most)
    ticks = range(0, int(most) + 1, step)
    floor = _TOP + _ROW * len(rows)

    def x(value: float) -> float:
        return _LEFT + _WIDTH * value / most

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 80} {floor + 34}" '
        f'font-family="system-ui, sans-serif" font-size="13" role="img" aria-label="{escape(title)}">',
        f'<rect width="100%" height="100%" fill="#ffffff"/><text x="16" y="26" font-size="15" font-weight="600">{escape(title)}</text>',
    ]
    for tick in ticks:
        parts.append(f'<line x1="{x(tick):.1f}" y1="{_TOP - 6}" x2="{x(tick):.1f}" y2="{floor}" stroke="#e4e0d8"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{floor + 20}" text-anchor="middle" fill="#6b675e">{tick:,}</text>')
    for number, (label, kind, middle, low, high) in enumerate(rows):
        y = _TOP + _ROW * number
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 18}" text-anchor="end" fill="#2b2925">{escape(label)}</text>')
        parts.append(f'<rect x="{_LEFT}" y="{y + 4}" width="{x(middle) - _LEFT:.1f}" height="{_ROW - 14}" rx="2" fill="{_COLOURS[kind]}"/>')
        parts.append(f'<line x1="{x(low):.1f}" y1="{y + 14}" x2="{x(high):.1f}" y2="{y + 14}" stroke="#2b2925" stroke-width="1.5"/>')
        parts.append(f'<text x="{x(high) + 6:.1f}" y="{y + 18}" fill="#2b2925">{middle:,.0f}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _step(most: float) -> int:
    """A round distance between ticks that makes four to nine of them."""
    power = 1
    while most / power >= 10:
        power *= 10
    return power if most / power >= 4 else max(1, power // 2 if most / power >= 2 else power // 4)
