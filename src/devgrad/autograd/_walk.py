"""Reading a graph: its nodes, and the arrays that they keep alive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ._graph import Edge, Node

__all__ = ["kept_arrays", "nodes_from"]


def nodes_from(
    edges: Iterable[Edge | None], wanted: Callable[[Node], bool] = lambda node: True
) -> list[Node]:
    """The nodes that ``edges`` lead to, directly or not, from the oldest to the newest; leaves
    come first. What is behind a node that is not ``wanted`` is left out with it."""
    seen: dict[int, Node] = {}
    stack = [edge.node for edge in edges if edge is not None]
    while stack:
        node = stack.pop()
        if node.rank not in seen and wanted(node):
            seen[node.rank] = node
            stack.extend(edge.node for edge in node.edges if edge is not None)
    return [seen[rank] for rank in sorted(seen, reverse=True)]


def kept_arrays(saved: Any) -> Iterator[tuple[Any, list[Any], int]]:
    """The arrays among what a node has saved, each with its count of changes, and that count's
    value when it was saved."""
    for entry in saved if saved.__class__ is tuple else ():
        if entry.__class__ is tuple and len(entry) == 3 and entry[1].__class__ is list:
            yield entry
        elif entry.__class__ is list:  # of an operation on a sequence of tensors
            yield from kept_arrays(tuple(entry))
