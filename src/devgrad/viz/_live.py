"""`live_nodes`: which nodes are alive, to find a graph that somebody holds on to."""

from __future__ import annotations

import gc
from collections import Counter

from ..autograd._graph import AccumulateGrad, Node
from ._source import place_of

__all__ = ["live_nodes"]


def live_nodes(by: str = "op") -> dict[str, int]:
    """How many nodes of graphs are alive now, most first.

    If the number grows from one training step to the next, something holds graphs: a list of
    losses that should be a list of ``loss.item()``, a hidden state that was not detached.

    Args:
        by: ``"op"`` counts by the nodes' names, ``"line"`` by the lines that made them.

    Raises:
        ValueError: ``by`` is something else.

    >>> import devgrad
    >>> from devgrad.viz import live_nodes
    >>> before = live_nodes().get("SinBackward0", 0)
    >>> x = devgrad.ones(2, requires_grad=True)
    >>> losses = [x.sin().sum() for _ in range(3)]
    >>> live_nodes()["SinBackward0"] - before
    3
    """
    if by not in ("op", "line"):
        raise ValueError(f"by must be 'op' or 'line', not {by!r}")
    # type(), not isinstance: of what is not ours, nothing is to be asked.
    nodes = [x for x in gc.get_objects() if issubclass(type(x), Node)]
    return dict(Counter(node.name() if by == "op" else _line(node) for node in nodes).most_common())


def _line(node: Node) -> str:
    if isinstance(node, AccumulateGrad):
        return "a leaf"
    place = place_of(node.code, node.lasti)
    return f"{place.short}  {place.text}"
