"""The engine: carries gradients from the roots of a graph to its leaves.

It moves opaque gradients and knows no operation. Run on bare arrays it computes gradients;
run on tensors (``create_graph=True``) the very same rules record the graph of the gradient.
What it must be able to do with a gradient - add two, fit one to a shape and dtype - is given to
it as an `Arithmetic`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush, heapreplace
from typing import Any, NamedTuple

from ..device import current_device
from ._anomaly import anomaly
from ._graph import AccumulateGrad, Edge, Node, OutputEdge, Released
from ._modes import mode
from ._provenance import user_line

__all__ = ["Arithmetic", "Run", "leads_to", "run"]


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


class Run(NamedTuple):
    """One backward pass, as hooks may ask for it: ``mode.run``.

    Attributes:
        roots: where it began.
        only: ranks of the nodes that it is confined to; None means all.
        notes: what hooks want to remember until its end.
    """

    roots: list[Edge]
    only: set[int] | None
    notes: dict[Any, Any]


def run(
    roots: Sequence[tuple[Edge, Any]],
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
    use_device = current_device.use  # None unless there are several GPUs
    checks = anomaly.check  # None, but in anomaly mode
    waiting: list[int] = []  # a heap of ranks
    # rank -> [node, gradient so far, whether that is an array that nobody else holds]
    pending: dict[int, list[Any]] = {}
    released: Released | None = None
    this_run: Run | None = None
    arrived: Any = None  # the gradient that the last node ran on
    coming: Any = None  # the gradient of `node`, the next to run; `ours`: nobody else holds it
    fresh = False  # whether `grads` were made by a rule just now
    edges: Any
    grads: Any
    edges, grads = zip(*roots, strict=True)
    while True:
        # The first to get a gradient is very often the next to run: it stays out of the heap.
        node: Any = None
        for edge, g in zip(edges, grads):
            if g is None or edge is None:
                continue
            if edge.__class__ is OutputEdge:
                _send_to_output(pending, waiting, edge, fit(g, edge))
                continue
            if g.shape != edge.shape or g.dtype is not edge.tensor_type.array_dtype:
                g = fit(g, edge)
            rank = edge.rank
            if edge is node:
                coming = coming + g
                ours = not on_tensors
            elif rank in pending:
                entry = pending[rank]
                if entry[2]:
                    entry[1] += g
                else:
                    entry[1] = entry[1] + g
                    entry[2] = not on_tensors
            else:
                # A rule may pass on the array that it was given, or a view: those are shared, as
                # the roots' are. Only what it made itself, or a sum that we made, is ours.
                made = fresh and g is not arrived and g.base is None
                if node is None and (not waiting or rank < waiting[0]):
                    node, coming, ours = edge, g, made
                else:
                    pending[rank] = [edge, g, made]
                    heappush(waiting, rank)
        while True:  # until a node has gradients to send on
            if node is None:
                if not waiting:
                    return
                node, coming, ours = pending.pop(heappop(waiting))
            elif waiting and waiting[0] < node.rank:
                pending[node.rank] = [node, coming, ours]
                node, coming, ours = pending.pop(heapreplace(waiting, node.rank))
            arrived = coming
            if use_device is not None:
                use_device(_device_of(node))
            if node.prehooks is not None:
                if this_run is None:
                    this_run = Run([edge for edge, _ in roots], only, {})
                mode.run = this_run
                arrived = _run_prehooks(node, arrived, arithmetic)
                ours = False  # a hook may have kept it
            if capture is not None:
                _capture(node, arrived, capture)
                if node.rank not in runs:  # type: ignore[operator]
                    node = None
                    continue
            if node.__class__ is not AccumulateGrad:
                break
            node.accumulate(arrived, ours)
            if node.hooks is not None:
                _run_hooks(node, (), arrived, arithmetic)
            node = None
        edges = node.edges if only is None else _wanted(node.edges, only)
        grads = node.vjp_on_tensors(arrived, edges) if on_tensors else node.vjp(arrived, edges)
        fresh = not on_tensors
        if checks is not None:
            checks(node, grads, edges, arrived)
        if node.hooks is not None:
            grads = _run_hooks(node, grads, arrived, arithmetic)
            fresh = False  # a hook may have kept them
        if not keep and node.saved and node.releases:
            if released is None:
                released = Released(user_line())
            node.saved = released


def _device_of(node: Any) -> Any:
    kind = node.tensor_type
    return (kind[0] if isinstance(kind, tuple) else kind).device


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
    for _, index, hook in sorted((node.prehooks or {}).values(), key=lambda hook: hook.turn):
        if index == -1:
            given = [p if p is None else arithmetic.wrap(p, t) for p, t in zip(parts, types)]
            answers = hook(tuple(given))
            if answers is None:
                continue
            answers = answers if isinstance(answers, tuple) else (answers,)
            _check_count(hook, answers, parts)
            for i, answer in enumerate(answers):
                if answer is not None and parts[i] is not None:
                    parts[i] = _replacement(hook, answer, parts[i], types[i], arithmetic)
        elif parts[index] is not None:
            answer = hook(arithmetic.wrap(parts[index], types[index]))
            if answer is not None:
                parts[index] = _replacement(hook, answer, parts[index], types[index], arithmetic)
    return parts[0] if node.outputs is None else parts


def _name_of(hook: Any) -> str:
    return getattr(hook, "__name__", repr(hook))


def _check_count(hook: Any, answers: Sequence[Any], parts: Sequence[Any]) -> None:
    if len(answers) != len(parts):
        raise RuntimeError(
            f"hook '{_name_of(hook)}' has returned an incorrect number of values (got "
            f"{len(answers)}, but expected {len(parts)})"
        )


def _replacement(hook: Any, answer: Any, part: Any, kind: Any, arithmetic: Arithmetic) -> Any:
    """What a hook returned in place of a gradient, if it may stand there."""
    name = _name_of(hook)
    if not hasattr(answer, "_array"):
        raise TypeError(
            f"expected Variable, but hook returned '{type(answer).__name__}': a hook gives a "
            f"tensor to replace the gradient by, or None; '{name}' gave neither"
        )
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
            None if p is None else arithmetic.wrap(p, t) for p, t in zip(parts, types, strict=True)
        )

    # Fitted now already: a hook sees gradients of the inputs' shapes and dtypes.
    grads = [
        None if part is None or edge is None else arithmetic.fit(part, edge)
        for part, edge in zip(grads, node.edges, strict=True)
    ]
    outputs = [g] if node.outputs is None else g
    types = [node.tensor_type] if node.outputs is None else node.tensor_type
    input_types = [edge and edge.tensor_type for edge in node.edges]
    for hook in list((node.hooks or {}).values()):
        answers = hook(wrapped(grads, input_types), wrapped(outputs, types))
        if answers is None:
            continue
        if not isinstance(answers, tuple):
            raise TypeError(
                f"expected tuple, but hook returned '{type(answers).__name__}': "
                f"'{_name_of(hook)}' is to return a gradient, or None, for each of the "
                f"{len(grads)} inputs, or None alone to change nothing"
            )
        _check_count(hook, answers, grads)
        for index, answer in enumerate(answers):
            if answer is not None and grads[index] is None:
                raise RuntimeError("can't replace a None gradient with a non-None value")
            grads[index] = (
                None
                if answer is None
                else _replacement(hook, answer, grads[index], input_types[index], arithmetic)
            )
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
