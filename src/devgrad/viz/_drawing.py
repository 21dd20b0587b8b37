"""`draw_graph` and `print_graph`: the graph behind a tensor, seen."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from types import FrameType
from typing import Any

from .._tensor import Tensor
from ._dot import dot_of
from ._figure import draw_scene, new_figure
from ._fold import fold as folded
from ._names import Names
from ._scene import Scene, scene_of
from ._svg import svg_of
from ._text import text_of
from ._trace import Trace, trace

__all__ = ["Drawing", "draw_graph", "print_graph"]

_MANY = 24  # operators; more are folded by lines
_MANY_LINES = 16  # lines; more are folded by functions, if that leaves something to see
_FEW = 6  # operators, up to which results without a name are drawn too


class Drawing:
    """A picture of a graph. In a notebook it shows itself; printed, it is a tree. See `draw_graph`.

    It shows the graph and the gradients as they were when it was made.
    """

    def __init__(self, traced: Trace, results: bool, direction: str | None) -> None:
        self._trace = traced
        self._results = results
        self._direction = direction

    @cached_property
    def _scene(self) -> Scene:
        return scene_of(self._trace, self._results, self._direction)

    def svg(self) -> str:
        """The picture as SVG text. Whoever points at a thing is told its line."""
        return svg_of(self._scene)

    def _repr_svg_(self) -> str:
        return self.svg()

    def dot(self) -> str:
        """The graph in Graphviz's language; Graphviz arranges it by itself."""
        return dot_of(self._trace, self._direction)

    def text(self) -> str:
        """The graph as a tree of text."""
        return text_of(self._trace)

    __str__ = text

    def figure(self, axes: Any = None) -> Any:
        """The picture as a matplotlib figure, or drawn into ``axes``.

        Raises:
            ImportError: matplotlib is not installed.
        """
        if axes is None:
            return new_figure(self._scene)
        draw_scene(self._scene, axes)
        return axes.figure

    def save(self, path: str | os.PathLike[str], dpi: float = 150) -> None:
        """Write the picture into a file, by the ending of its name: ``.svg``, ``.dot`` and
        ``.txt``, or whatever matplotlib can write, ``.png`` and ``.pdf`` say."""
        ending = os.path.splitext(path)[1].lower()
        texts = {".svg": self.svg, ".dot": self.dot, ".txt": self.text}
        if ending in texts:
            with open(path, "w", encoding="utf-8") as file:
                file.write(texts[ending]() + "\n")
            return
        from ._figure import pyplot

        figure = self.figure()
        try:
            figure.savefig(path, dpi=dpi)
        finally:
            pyplot().close(figure)

    def __repr__(self) -> str:
        operators = len(self._trace.operators)
        variables = len(self._trace.variables())
        return f"<devgrad.viz.Drawing of {operators} operators and {variables} variables>"


def _traced(outputs: Any, params: Any, fold: str | None, frame: FrameType | None) -> Trace:
    roots: Sequence[Tensor] = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    for root in roots:
        if not isinstance(root, Tensor):
            raise TypeError(f"expected a Tensor or a list of them, got {type(root).__name__}")
    traced = trace(roots, Names(params, frame))
    if fold == "auto":
        if len(traced.operators) <= _MANY:
            return traced
        by_line = folded(traced, "line")
        if len(by_line.operators) <= _MANY_LINES:
            return by_line
        by_module = folded(traced, "module")
        return by_module if len(by_module.operators) > 2 else by_line
    return traced if fold is None else folded(traced, fold)


def draw_graph(
    outputs: Any,
    params: Any = None,
    *,
    fold: str | None = "auto",
    results: bool | None = None,
    direction: str | None = None,
) -> Drawing:
    """Draw the graph that computed ``outputs``: circles for variables, boxes for operators.

    Leaves, leaves that require no grad, non-leaves and roots have colours of their own. A circle
    holds the variable's name, its shape and, after ``backward()``, the norm of its gradient. A
    leaf that is taken in far apart places is drawn again at each, marked ↺.

    Args:
        outputs: a tensor or several.
        params: names for tensors: a dict, pairs of a name and a tensor, or a module. Further
            names are those of the caller's variables, and those in the lines that computed.
        fold: ``"line"`` puts the operators of a line of code into one box, ``"module"`` those of
            a module (by whose parameters they take) or of a call of a function; None does not;
            by default large graphs are folded.
        results: whether results without a name are drawn; by default in small graphs.
        direction: ``"right"`` or ``"down"``; by default as it fits.

    Returns:
        A `Drawing`, which a notebook shows; ``.figure()`` is a matplotlib figure, ``.svg()``,
        ``.dot()`` and ``.text()`` are text, ``.save("graph.png")`` writes a file.

    Raises:
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> from devgrad.viz import draw_graph
    >>> w = devgrad.tensor([2.0], requires_grad=True)
    >>> b = devgrad.tensor([1.0], requires_grad=True)
    >>> z = w * w + b
    >>> draw_graph(z)
    <devgrad.viz.Drawing of 2 operators and 4 variables>
    >>> draw_graph(z).svg()[:4]
    '<svg'
    """
    if direction not in (None, "down", "right"):
        raise ValueError(f"direction must be None, 'down' or 'right', not {direction!r}")
    traced = _traced(outputs, params, fold, sys._getframe(1))
    if results is None:
        results = len(traced.operators) <= _FEW
    return Drawing(traced, results, direction)


def print_graph(outputs: Any, params: Any = None, *, fold: str | None = None) -> None:
    """Print the graph that computed ``outputs`` as a tree, with the lines that computed it.

    The arguments are `draw_graph`'s.

    >>> import devgrad
    >>> from devgrad.viz import print_graph
    >>> w = devgrad.tensor([2.0], requires_grad=True)
    >>> print_graph(w, {"weight": w})
    weight [1]  [leaf]
    """
    print(text_of(_traced(outputs, params, fold, sys._getframe(1))))
