"""Shapes, texts and lines with their places: what SVG and matplotlib both draw.

Lengths are in points, y grows downward.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field

from ._layout import Point, layers_of, layout
from ._trace import Operator, Trace, Variable

__all__ = ["STYLES", "Label", "Route", "Scene", "Shape", "Style", "scene_of", "segments"]


@dataclass(frozen=True)
class Style:
    """How a kind of thing looks, and what the legend calls it."""

    fill: str
    stroke: str
    legend: str
    dashed: bool = False
    width: float = 1.2


STYLES = {
    "leaf": Style("#d7efd0", "#2f7d32", "leaf"),
    "constant": Style("#f4f4f4", "#8a8a8a", "leaf that requires no grad", dashed=True),
    "value": Style("#d9e8fa", "#2b6cb0", "non-leaf"),
    "root": Style("#ffdfc2", "#c05a12", "root", width=2.0),
    "operator": Style("#ffffff", "#4a4a4a", "operator"),
    "folded": Style("#fff8dc", "#7a6a2a", "line, function or module"),
}
LINE = "#6b6b6b"


@dataclass
class Label:
    """A line of text, centred at its place, or beginning there."""

    text: str
    x: float
    y: float
    size: float
    bold: bool = False
    centred: bool = True


@dataclass
class Shape:
    """A circle, a pill (a circle pulled wide) or a box, centred at x, y."""

    kind: str
    style: Style
    x: float
    y: float
    width: float
    height: float
    labels: list[Label] = field(default_factory=list)
    about: str = ""

    @property
    def radius(self) -> float:
        """Of the corners."""
        return 3.0 if self.kind == "box" else self.height / 2


@dataclass
class Route:
    """The way of an edge: see `Layout.routes`."""

    points: list[Point]


@dataclass
class Scene:
    """A whole picture."""

    shapes: list[Shape]
    routes: list[Route]
    legend: list[Shape]
    notes: list[Label]
    width: float
    height: float
    rightward: bool


_NARROW = dict.fromkeys("ijl'|", 0.28) | dict.fromkeys(" .,:;!", 0.32)
_NARROW |= dict.fromkeys("()[]tfr-/\\", 0.4) | dict.fromkeys("mwMW@", 0.95)
_NARROW |= dict.fromkeys("=+<>×·", 0.84)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """About how wide a line is, in DejaVu Sans; other fonts are narrower."""
    ems = sum(_NARROW.get(c, 0.7 if c.isupper() else 0.62) for c in text)
    return ems * size * (1.1 if bold else 1.0)


def shape_text(shape: tuple[int, ...]) -> str:
    """``[4, 3]``; a 0-dim tensor is a scalar."""
    return str(list(shape)) if shape else "scalar"


def _variable_shape(variable: Variable) -> Shape:
    style = STYLES["constant" if not variable.requires_grad else variable.kind]
    if variable.kind == "root" and not variable.requires_grad:
        style = STYLES["root"]
    lines = []
    if variable.name:
        lines.append((variable.name + (" ↺" if variable.again else ""), 11.0, True))
    lines.append((shape_text(variable.shape), 8.0, False))
    if variable.gradient is not None:
        lines.append((f"|grad| {variable.gradient:.3g}", 8.0, False))
    width, height = _block(lines)
    round_one = (width**2 + height**2) ** 0.5 + 5
    about = f"{variable.name or 'unnamed'}: {variable.dtype} {list(variable.shape)}"
    about += ", requires grad" if variable.requires_grad else ", requires no grad"
    if variable.place is not None:
        about += f"\n{variable.place.short}: {variable.place.text}"
    if round_one <= 68:
        size = max(round_one, 40.0)
        return _with_labels(Shape("circle", style, 0, 0, size, size, about=about), lines)
    shape = Shape("pill", style, 0, 0, width + height * 0.7 + 4, height + 10, about=about)
    return _with_labels(shape, lines)


def _operator_shape(operator: Operator) -> Shape:
    folded = operator.folded
    place = operator.place
    title = operator.title
    if folded:
        parts = textwrap.wrap(title, 40) or [title]
        if len(parts) > 2:
            parts = [parts[0], parts[1][:38] + "…"]
        lines = [(part, 9.0, False) for part in parts]
        where = f" · {place.short}" if place is not None else ""
        many = f"{operator.count} operator" + "s" * (operator.count > 1)
        lines.append((many + where, 7.0, False))
    else:
        lines = [(title, 10.0, False)]
    width, height = _block(lines)
    about = title if place is None else f"{title}\n{place.short}: {place.text}"
    for output in operator.outputs:
        about += f"\ngives {output.dtype} {list(output.shape)}"
    shape = Shape(
        "box", STYLES["folded" if folded else "operator"], 0, 0, width + 14, height + 8, about=about
    )
    return _with_labels(shape, lines)


def _block(lines: list[tuple[str, float, bool]]) -> tuple[float, float]:
    width = max(text_width(text, size, bold) for text, size, bold in lines)
    return width, sum(size * 1.25 for _, size, _ in lines)


def _with_labels(shape: Shape, lines: list[tuple[str, float, bool]]) -> Shape:
    y = -_block(lines)[1] / 2
    for text, size, bold in lines:
        y += size * 1.25
        shape.labels.append(Label(text, 0.0, y - size * 0.625, size, bold))
    return shape


# --- vertices and edges ---------------------------------------------------------------------------


class _Picture:
    """The vertices and edges of a trace: operators, the variables that are shown."""

    def __init__(self, traced: Trace, every_result: bool) -> None:
        self.things: list[Operator | Variable] = []
        self.edges: list[tuple[int, int]] = []
        self.strengths: list[float] = []
        self._number: dict[int, int] = {}
        made_by: dict[int, Operator] = {}
        for operator in traced.operators:
            for variable in operator.outputs:
                made_by[id(variable)] = operator
        for operator in traced.operators:
            begins = all(variable.kind == "leaf" for variable in operator.inputs)
            for variable in dict.fromkeys(operator.inputs):
                hidden = not every_result and variable.kind == "value" and not variable.name
                source = made_by.get(id(variable)) if hidden else None
                self._edge(source or variable, operator, begins or variable.kind != "leaf")
            for variable in operator.outputs:
                if every_result or variable.kind == "root" or variable.name:
                    self._edge(operator, variable, True)
        for variable in traced.alone:
            self._vertex(variable)
        self._repeat_leaves()

    def _vertex(self, thing: Operator | Variable) -> int:
        number = self._number.get(id(thing))
        if number is None:
            number = self._number[id(thing)] = len(self.things)
            self.things.append(thing)
        return number

    def _edge(self, source: Operator | Variable, target: Operator | Variable, trunk: bool) -> None:
        self.edges.append((self._vertex(source), self._vertex(target)))
        self.strengths.append(8.0 if trunk else 0.2)

    def _repeat_leaves(self) -> None:
        """Draw a leaf again where it is taken far from where it stands."""
        far = 3 if len(self.things) <= 16 else 1
        layer = layers_of(len(self.things), self.edges)
        for v, thing in enumerate(list(self.things)):
            if not isinstance(thing, Variable) or thing.kind != "leaf":
                continue
            uses = [i for i, (source, _) in enumerate(self.edges) if source == v]
            uses.sort(key=lambda i: -layer[self.edges[i][1]])
            number, near = v, None
            for i in uses:
                at = layer[self.edges[i][1]]
                if near is not None and near - at > far:
                    copy = Variable(**{**vars(thing), "again": True})
                    number, near = self._vertex(copy), None
                if near is None:
                    near = at
                self.edges[i] = (number, self.edges[i][1])

    def shapes(self) -> list[Shape]:
        return [
            _variable_shape(t) if isinstance(t, Variable) else _operator_shape(t)
            for t in self.things
        ]


def scene_of(traced: Trace, every_result: bool, direction: str | None) -> Scene:
    """Arrange a trace.

    Args:
        every_result: whether results without a name are drawn too.
        direction: ``"down"``, ``"right"``, or None: to the right if the picture is short.
    """
    picture = _Picture(traced, every_result)
    if direction is None:
        depth = max(layers_of(len(picture.things), picture.edges), default=0) + 1
        direction = "right" if depth <= 7 else "down"
    rightward = direction == "right"
    shapes = picture.shapes()
    arranged = layout(
        [(s.width, s.height) for s in shapes], picture.edges, picture.strengths,
        [s.kind == "box" for s in shapes], rightward=rightward, along=30.0 if rightward else 22.0,
    )  # fmt: skip
    margin = 12.0
    for shape, (x, y) in zip(shapes, arranged.centers):
        _move(shape, x + margin, y + margin)
    routes = [Route([(x + margin, y + margin) for x, y in route]) for route in arranged.routes]
    width = arranged.width + 2 * margin
    legend, notes, legend_width, legend_height = _legend(shapes, picture, max(width, 430.0))
    width = max(width, legend_width)
    shift = (width - arranged.width) / 2 - margin  # the picture in the middle
    for shape in shapes:
        _move(shape, shift, 0.0)
    for route in routes:
        route.points = [(x + shift, y) for x, y in route.points]
    top = arranged.height + 2 * margin + 6
    for shape in legend:
        _move(shape, 0.0, top)
    for note in notes:
        note.y += top
    return Scene(shapes, routes, legend, notes, width, top + legend_height, rightward)


def _move(shape: Shape, x: float, y: float) -> None:
    shape.x += x
    shape.y += y
    for label in shape.labels:
        label.x += x
        label.y += y


def _legend(
    shapes: list[Shape], picture: _Picture, width: float
) -> tuple[list[Shape], list[Label], float, float]:
    """Samples of the styles in use with their names, in rows."""
    used = [s for s in STYLES.values() if any(shape.style is s for shape in shapes)]
    entries = [(style, style.legend) for style in used]
    if any(isinstance(t, Variable) and t.again for t in picture.things):
        entries.append((STYLES["leaf"], "↺ drawn again"))
    samples, notes = [], []
    x, y, widest = 12.0, 8.0, 0.0
    for style, text in entries:
        needed = 16 + text_width(text, 8.0) + 14
        if x > 12.0 and x + needed > width:
            x, y = 12.0, y + 15
        if "↺" not in text:
            kind = "box" if style in (STYLES["operator"], STYLES["folded"]) else "circle"
            samples.append(Shape(kind, style, x + 5, y, 10, 10))
        else:
            x -= 12
        notes.append(Label(text, x + 14, y, 8.0, centred=False))
        x += needed
        widest = max(widest, x)
    return samples, notes, widest, y + 14


def segments(route: Route, rightward: bool) -> Iterator[tuple[Point, ...]]:
    """A route as lines, of two points, and as curves, of four."""
    points = route.points
    for i in range(0, len(points), 2):
        if points[i] != points[i + 1]:
            yield points[i], points[i + 1]
        if i + 2 < len(points):
            (x0, y0), (x1, y1) = points[i + 1], points[i + 2]
            if rightward:
                middle = (x0 + x1) / 2
                yield (x0, y0), (middle, y0), (middle, y1), (x1, y1)
            else:
                middle = (y0 + y1) / 2
                yield (x0, y0), (x0, middle), (x1, middle), (x1, y1)
