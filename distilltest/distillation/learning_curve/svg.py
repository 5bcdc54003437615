"""Render a learning curve as SVG, with one panel for each evaluation and styles for light and dark themes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from distilltest.distillation.learning_curve.curve import Curve, LearningCurve, Point
from distilltest.distillation.learning_curve.scale import apart, places
from distilltest.untrusted.edges import mapped, shown_line

WIDTH, HEIGHT = 820, 440
"""The size of one panel, in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 68, 150, 84, 64
"""Margins around the plotting area."""
INSET = 44
"""The distance between the edges of the plotting area and the first and last size."""
LINE = 18
"""The line height of labels."""
CHARACTER = 7.2
"""The approximate width of a character of a label."""
_STYLE = """
  svg { --ground: #ffffff; --ink: #1f2328; --soft: #59636e; --grid: #e4e8ec }
  svg { --tuned: #0b62d6; --teacher: #1a7f37; --base: #8250a8 }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #0d1117; --ink: #f0f6fc; --soft: #9198a1; --grid: #2a313a }
    svg { --tuned: #58a6ff; --teacher: #4ac26b; --base: #c297eb }
  }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--ink) }
  .ground { fill: var(--ground) } .title { font-size: 15px; font-weight: 600 } .soft { fill: var(--soft); font-size: 12px }
  .grid { stroke: var(--grid) } .axis { stroke: var(--soft) } .lead { stroke: var(--soft); stroke-width: .75; fill: none }
  .halo { paint-order: stroke; stroke: var(--ground); stroke-width: 4px; stroke-linejoin: round }
  .tuned { stroke: var(--tuned) } .teacher { stroke: var(--teacher) } .base { stroke: var(--base) }
  .tuned-fill { fill: var(--tuned) } .teacher-fill { fill: var(--teacher) } .base-fill { fill: var(--base) }
  .line { fill: none; stroke-width: 2.25; stroke-linejoin: round } .bar { stroke-width: 1.75 }
  .dashed { stroke-width: 1.5; stroke-dasharray: 6 4 } .band { opacity: .1 } .number { font-weight: 600 }
"""


def render(curve: LearningCurve) -> str:
    """Render all panels."""
    curve = mapped(curve, shown_line)
    height = HEIGHT * len(curve.curves)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape('; '.join(each.sentence for each in curve.curves))}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
    ]
    for number, each in enumerate(curve.curves):
        lines += [f'<g transform="translate(0 {number * HEIGHT})">', *_panel(each), "</g>"]
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(curve: Curve) -> Iterator[str]:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    columns = [LEFT + INSET + place * (right - LEFT - 2 * INSET) for place in places([p.size for p in curve.points])]
    yield _text(LEFT, 30, _cut(curve.evaluation, 80), "title")
    about = f"{curve.measure} on {curve.cases:,} cases; bars and bands are {100 * curve.level:.0f} % intervals"
    yield _text(LEFT, 51, about, "soft")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield f'<line class="{"grid" if share else "axis"}" x1="{LEFT}" x2="{right}" y1="{_y(share)}" y2="{_y(share)}"/>'
        yield _text(LEFT - 10, _y(share) + 4, f"{100 * share:.0f} %", "soft", "end")
    yield from _sizes(curve.points, columns, floor)
    for role, share_of in curve.references.items():
        yield (
            f'<rect class="{escape(role)}-fill band" x="{LEFT}" width="{right - LEFT}" y="{_y(share_of.high)}" '
            f'height="{round(_y(share_of.low) - _y(share_of.high), 1)}"/>'
        )
        yield f'<line class="{escape(role)} dashed" x1="{LEFT}" x2="{right}" y1="{_y(share_of.rate)}" y2="{_y(share_of.rate)}"/>'
    yield from _curve(curve.points, columns)
    yield from _names(curve, right, columns[-1])
    yield from _numbers(curve, columns)


def _sizes(points: Sequence[Point], columns: Sequence[float], floor: float) -> Iterator[str]:
    """Ticks for all sizes, and their labels as far as there is room; the last label is always shown."""
    free = float("inf")
    for point, column in reversed(list(zip(points, columns, strict=True))):
        yield f'<line class="axis" x1="{column:.1f}" x2="{column:.1f}" y1="{floor}" y2="{floor + 5}"/>'
        half = len(f"{point.size:,}") * CHARACTER / 2
        if column + half + 6 <= free:
            yield _text(column, floor + 21, f"{point.size:,}", "", "middle")
            free = column - half
    yield _text((LEFT + WIDTH - RIGHT) / 2, floor + 46, "training examples (each doubling one step)", "soft", "middle")


def _curve(points: Sequence[Point], columns: Sequence[float]) -> Iterator[str]:
    for point, column in zip(points, columns, strict=True):
        low, high = _y(point.share.low), _y(point.share.high)
        yield (
            f'<path class="tuned bar" fill="none" d="M{column - 5:.1f} {high}h10M{column - 5:.1f} {low}h10'
            f'M{column:.1f} {high}V{low}"/>'
        )
    way = " ".join(f"{column:.1f},{_y(point.share.rate)}" for point, column in zip(points, columns, strict=True))
    yield f'<polyline class="tuned line" points="{way}"/>'
    for point, column in zip(points, columns, strict=True):
        yield f'<circle class="tuned-fill" cx="{column:.1f}" cy="{_y(point.share.rate)}" r="4.5"/>'


def _names(curve: Curve, right: float, last_column: float) -> Iterator[str]:
    """The names of the lines in the right margin, moved apart if they would overlap."""
    last = curve.points[-1]
    named = [("tuned", last.share.rate, last_column + 8), *((r, s.rate, right) for r, s in curve.references.items())]
    wanted = [_y(rate) for _, rate, _ in named]
    found = apart(wanted, LINE, TOP, HEIGHT - BOTTOM)
    for (name, rate, start), at, y in zip(named, wanted, found, strict=True):
        if name == "tuned" or abs(at - y) > 1:
            yield f'<path class="lead" d="M{start:.1f} {at}H{right + 2}L{right + 10} {y:.1f}"/>'
        yield _text(right + 14, y + 4.5, f"{name} {100 * rate:.1f} %", f"number {name}-fill")


def _numbers(curve: Curve, columns: Sequence[float]) -> Iterator[str]:
    """The rate at each size, above or below its bar, where it covers no number or bar and, if possible, no line."""
    lines = [_y(share.rate) for share in curve.references.values()]
    taken: list[tuple[float, float, float, float]] = []
    rows = list(zip(curve.points, columns, strict=True))
    bars = [(column - 6, _y(p.share.high), column + 6, _y(p.share.low)) for p, column in rows]
    for number in range(len(rows) - 1, -1, -1):
        point, column = rows[number]
        text = f"{100 * point.share.rate:.1f}"
        half = len(text) * CHARACTER / 2 + 2
        above_and_below = (_y(point.share.high) - 9, _y(point.share.low) + 19)
        for y in sorted(above_and_below, key=lambda y: any(y - 12 < line < y + 3 for line in lines)):
            box = (column - half, y - 12, column + half, y + 3)
            others = [*taken, *bars[:number], *bars[number + 1 :]]
            if TOP - 14 < y < HEIGHT - BOTTOM - 2 and not any(_overlap(box, other) for other in others):
                taken.append(box)
                yield _text(column, y, text, "number halo tuned-fill", "middle")
                break


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _y(rate: float) -> float:
    return round(TOP + (1 - min(1.0, max(0.0, rate))) * (HEIGHT - TOP - BOTTOM), 1)


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{escape(kind)}" text-anchor="{anchor}">{escape(text)}</text>'


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"…{text[1 - width :]}"
