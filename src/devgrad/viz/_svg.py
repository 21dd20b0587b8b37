"""A scene as SVG text: no library is needed, and it is sharp at any size."""

from __future__ import annotations

from html import escape

from ._layout import Point
from ._scene import LINE, Label, Scene, Shape, segments

__all__ = ["svg_of"]

_FONT = "DejaVu Sans, Verdana, Geneva, sans-serif"


def svg_of(scene: Scene) -> str:
    """The picture as an ``<svg>`` element."""
    width, height = _n(scene.width), _n(scene.height)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="{_FONT}" text-anchor="middle">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for route in scene.routes:
        parts.append(_path(list(segments(route, scene.rightward))))
        parts.append(_arrow(route.points[-1], scene.rightward))
    parts += [_shape(shape) for shape in (*scene.shapes, *scene.legend)]
    parts += [_text(note) for note in scene.notes]
    return "\n".join([*parts, "</svg>"])


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _at(point: Point) -> str:
    return f"{_n(point[0])},{_n(point[1])}"


def _path(pieces: list[tuple[Point, ...]]) -> str:
    text = f"M{_at(pieces[0][0])}"
    for piece in pieces:
        letter = "L" if len(piece) == 2 else "C"
        text += letter + " ".join(_at(p) for p in piece[1:])
    return f'<path d="{text}" fill="none" stroke="{LINE}"/>'


def _arrow(tip: Point, rightward: bool) -> str:
    x, y = tip
    back = [(x - 6, y - 3), (x - 6, y + 3)] if rightward else [(x - 3, y - 6), (x + 3, y - 6)]
    return f'<path d="M{_at(tip)}L{_at(back[0])} {_at(back[1])}Z" fill="{LINE}"/>'


def _shape(shape: Shape) -> str:
    style = shape.style
    look = f'fill="{style.fill}" stroke="{style.stroke}" stroke-width="{_n(style.width)}"'
    look += ' stroke-dasharray="3 2"' if style.dashed else ""
    if shape.kind == "circle":
        form = f'<circle cx="{_n(shape.x)}" cy="{_n(shape.y)}" r="{_n(shape.radius)}" {look}/>'
    else:
        left, top = shape.x - shape.width / 2, shape.y - shape.height / 2
        form = (
            f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(shape.width)}" '
            f'height="{_n(shape.height)}" rx="{_n(shape.radius)}" {look}/>'
        )
    about = f"<title>{escape(shape.about)}</title>" if shape.about else ""
    return f"<g>{about}{form}{''.join(_text(label) for label in shape.labels)}</g>"


def _text(label: Label) -> str:
    bold = ' font-weight="bold"' if label.bold else ""
    anchor = "" if label.centred else ' text-anchor="start"'
    # The middle of the letters is about a third of their size above the line that they stand on.
    y = label.y + label.size * 0.36
    return (
        f'<text x="{_n(label.x)}" y="{_n(y)}" font-size="{_n(label.size)}"{bold}{anchor}>'
        f"{escape(label.text)}</text>"
    )
