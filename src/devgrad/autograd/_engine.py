"""The engine: carries gradients from the roots of a graph to its leaves.

It moves opaque gradients and knows no operation. Run on bare arrays it computes gradients;
run on tensors (``create_graph=True``) the very same rules record the graph of the gradient.
What it must be able to do with a gradient - add two, fit one to a shape and dtype - is given to
it as an `Arithmetic`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

from ._graph import AccumulateGrad, Edge, Node, OutputEdge, Released
from ._provenance import user_line

__all__ = ["Arithmetic", "leads_to", "run"]


class Arithmetic(NamedTuple):
    """How gradients of one kind - arrays or tensors - are handled.

    Attributes:
        on_tensors: whether gradients are tensors, to be recorded.
        fit: ``fit(g, edge)`` sums and casts ``g`` to the shape and dtype of the edge's tensor.
        wrap, unwrap: to and from the tensors that hooks are given.
    """

    on_tensors: bool
    fit: Callable[[Any, Edge], Any]
    wrap: Callable[[Any, Any], Any]
    unwrap: Callable[[Any], Any]


def run(
    roots: Iterable[tuple[Edge, Any]],
    arithmetic: Arithmetic,
    *,
    keep: bool,
    only: set[int] | None = None,
    runs: set[int] | None = None,
    capture: dict[tuple[int, int], Any] | None = None,
) -> None:
    """Send gradients from ``roots`` down the graph, newest node first.

    Args:
        roots: edges with the gradients that arrive there.
        arithmetic: what the gradients are.
        keep: whether nodes keep their saved tensors for another pass.
        only: ranks of the nodes that matter; nothing is sent to others. None means all.
        capture: gradients to collect: ``(rank, index of output)`` -> None, filled in here.
        runs: given with ``capture``: ranks of the nodes that run, not only captured.
    """
    on_tensors, fit = arithmetic.on_tensors, arithmetic.fit
    waiting: list[int] = []  # a heap of ranks
    # rank -> [node, gradient so far, whether that is an array that nobody else holds]
    pending: dict[int, list[Any]] = {}
    released: Released | None = None
    arrived: Any = None
    fresh = False  # whether `grads` were made by a rule just now
    edges: Any
    grads: Any
    edges, grads = zip(*roots, strict=True)
    while True:
        for edge, g in zip(edges, grads):
            if g is None or edge is None:
                continue
            if edge.__class__ is OutputEdge:
                _send_to_output(pending, waiting, edge, fit(g, edge))
                continue
            if g.shape != edge.shape or g.dtype is not edge.tensor_type.array_dtype:
                g = fit(g, edge)
            rank = edge.rank
            if rank not in pending:
                # A rule may pass on the array that it was given, or a view: those are shared, as
                # the roots' are. Only what it made itself, or a sum that we made, is ours.
                ours = fresh and g is not arrived and g.base is None
                pending[rank] = [edge, g, ours]
                heappush(waiting, rank)
                continue
            entry = pending[rank]
            if entry[2]:
                entry[1] += g
            else:
                entry[1] = entry[1] + g
                entry[2] = not on_tensors
        while True:  # until a node has gradients to send on
            if not waiting:
                return
            rank = heappop(waiting)
            node, arrived, ours = pending.pop(rank)
            if node.prehooks is not None:
                arrived = _run_prehooks(node, arrived, arithmetic)
                ours = False  # a hook may have kept it
            if capture is not None:
                _capture(node, arrived, capture)
                if rank not in runs:  # type: ignore[operator]
                    continue
            if node.__class__ is AccumulateGrad:
                node.accumulate(arrived, ours)
                continue
            break
        edges = node.edges if only is None else _wanted(node.edges, only)
        grads = node.vjp_on_tensors(arrived, edges) if on_tensors else node.vjp(arrived, edges)
        fresh = not on_tensors
        if node.hooks is not None:
            grads = _run_hooks(node, grads, arrived, arithmetic)
            fresh = False  # a hook may have kept them
        if not keep and node.releases and node.saved:
            if released is None:
                released = Released(user_line())
            node.saved = released


def _wanted(edges: Sequence[Edge | None], only: set[int]) -> list[Edge | None]:
    return [e if e is not None and e.rank in only else None for e in edges]


def _send_to_output(
    pending: dict[int, list[Any]], waiting: list[int], edge: OutputEdge, g: Any
) -> None:
    """Add a gradient to those that wait for a node of several outputs."""
    node = edge.node
    entry = pending.get(node.rank)
    if entry is None:
        entry = pending[node.rank] = [node, [None] * (node.outputs or 1), False]
        heappush(waiting, node.rank)
    before = entry[1][edge.index]
    entry[1][edge.index] = g if before is None else before + g


def _capture(node: Node, g: Any, capture: dict[tuple[int, int], Any]) -> None:
    for index, part in enumerate([g] if node.outputs is None else g):
        if (node.rank, index) in capture:
            capture[node.rank, index] = part


def _run_prehooks(node: Node, g: Any, arithmetic: Arithmetic) -> Any:
    parts = [g] if node.outputs is None else list(g)
    types = [node.tensor_type] if node.outputs is None else node.tensor_type
    for index, hook in list(node.prehooks or ()):
        if parts[index] is None:
            continue
        answer = hook(arithmetic.wrap(parts[index], types[index]))
        if answer is not None:
            parts[index] = _replacement(hook, answer, parts[index], types[index], arithmetic)
    return parts[0] if node.outputs is None else parts


def _replacement(hook: Any, answer: Any, part: Any, kind: Any, arithmetic: Arithmetic) -> Any:
    """What a hook returned in place of a gradient, if it may stand there."""
    name = getattr(hook, "__name__", repr(hook))
    if not hasattr(answer, "_array"):
        raise TypeError(f"expected Variable, but hook '{name}' returned {type(answer).__name__}")
    if answer._array.shape != part.shape:
        raise RuntimeError(
            f"hook '{name}' has changed the size of value: from {list(part.shape)} to "
            f"{list(answer._array.shape)}"
        )
    if answer._type is not kind:
        raise RuntimeError(
            f"hook '{name}' has changed the type of value (was {kind} got {answer._type})"
        )
    return arithmetic.unwrap(answer)


def _run_hooks(node: Node, grads: Any, g: Any, arithmetic: Arithmetic) -> Any:
    def wrapped(parts: Any, types: Any) -> tuple[Any, ...]:
        return tuple(
            None if p is None else arithmetic.wrap(p, t) for p, t in zip(parts, types, strict=False)
        )

    outputs = [g] if node.outputs is None else g
    types = [node.tensor_type] if node.outputs is None else node.tensor_type
    for hook in list((node.hooks or {}).values()):
        answer = hook(
            wrapped(grads, [e and e.tensor_type for e in node.edges]), wrapped(outputs, types)
        )
        if answer is not None:
            answer = answer if isinstance(answer, tuple) else (answer,)
            grads = [None if a is None else arithmetic.unwrap(a) for a in answer]
    return grads


def leads_to(roots: Iterable[Edge], targets: set[int]) -> set[int]:
    """The ranks of all nodes on a path from ``roots`` to a node whose rank is in ``targets``."""
    oldest = max(targets, default=0)
    seen: dict[int, Node] = {}
    stack = [edge.node for edge in roots]
    while stack:
        node = stack.pop()
        # What is older than every target cannot lead to one.
        if node.rank in seen or node.rank > oldest:
            continue
        seen[node.rank] = node
        stack.extend(edge.node for edge in node.edges if edge is not None)
    found: set[int] = set()
    for rank in sorted(seen, reverse=True):  # oldest first
        node = seen[rank]
        if rank in targets or any(e is not None and e.rank in found for e in node.edges):
            found.add(rank)
    return found
