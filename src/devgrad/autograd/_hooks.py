"""Hooks: the user's functions that see gradients come by, and may replace them.

They are kept in dicts by number, with what they hang on: a node, or the module of a network. A
handle takes one away again.
"""

from __future__ import annotations

import itertools
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from ._graph import AccumulateGrad, Edge, Node

__all__ = ["ON_NODE", "ON_TENSOR", "RETAIN", "Hooks", "Prehook", "RemovableHandle", "add_hook",
           "add_prehook", "retain"]  # fmt: skip

Hooks = OrderedDict[int, Callable[..., Any]]

_numbers = itertools.count()


class RemovableHandle:
    """What takes a hook away again: ``handle.remove()``, or the end of a ``with`` block.

    Args:
        hooks_dict: where the hook is, by the handle's ``id``.
        extra_dict: a dict, or dicts, that note something about the hook by the same number.
    """

    def __init__(self, hooks_dict: dict[int, Any], *, extra_dict: Any = None) -> None:
        extra = [] if extra_dict is None else extra_dict
        dicts = [hooks_dict, *([extra] if isinstance(extra, dict) else extra)]
        # Weakly, so that a forgotten handle does not keep a model.
        self._dicts = [weakref.ref(d) for d in dicts]
        self.id = next(_numbers)

    def remove(self) -> None:
        """Take the hook away; nothing happens the second time."""
        for reference in self._dicts:
            found = reference()
            if found is not None:
                found.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def add_hook(
    hooks: dict[int, Any], hook: Any, *, prepend: bool = False, notes: Any = ()
) -> RemovableHandle:
    """Put ``hook`` at the end of ``hooks``, or at the front.

    Args:
        notes: pairs of a dict and whether the hook's number is to be noted there.
    """
    handle = RemovableHandle(hooks, extra_dict=[note for note, _ in notes])
    hooks[handle.id] = hook
    for note, wanted in notes:
        if wanted:
            note[handle.id] = True
    if prepend:
        assert isinstance(hooks, OrderedDict)
        hooks.move_to_end(handle.id, last=False)
    return handle


# Before a node runs, the hooks of its tensors are called, then `retain_grad`, then its own.
ON_TENSOR, RETAIN, ON_NODE = range(3)


class Prehook(NamedTuple):
    """What is called with the gradients that arrive at a node, before it runs.

    Attributes:
        turn: ``ON_TENSOR``, ``RETAIN`` or ``ON_NODE``.
        output: the number of the output whose gradient is given; -1 for a tuple of all, which
            ``ON_NODE`` is given.
    """

    turn: int
    output: int
    function: Callable[[Any], Any]


def add_prehook(
    edge: Edge, function: Callable[[Any], Any], turn: int = ON_TENSOR
) -> RemovableHandle:
    """Have ``function`` called with the gradient that arrives at ``edge``."""
    node = edge.node
    if node.prehooks is None:
        node.prehooks = OrderedDict()
    return add_hook(node.prehooks, Prehook(turn, -1 if turn == ON_NODE else edge.index, function))


def retain(tensor: Any) -> None:
    """Add to a non-leaf's ``.grad`` what arrives at its present edge, and no more what arrives at
    a former one: after a change in place its gradient is that of what it holds now."""
    if tensor._retains is not None:
        tensor._retains.remove()
    reference = weakref.ref(tensor)

    def keep(g: Any) -> None:
        tensor = reference()
        if tensor is not None:
            tensor._accumulate(g if g._edge is not None else g._array, False)

    tensor._retains = add_prehook(tensor._edge, keep, RETAIN)


def _register_hook(self: Node, fn: Callable[..., Any]) -> RemovableHandle:
    """Call ``fn(grad_inputs, grad_outputs)`` when the node has run; what it returns replaces
    ``grad_inputs``.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0], requires_grad=True)
    >>> y = x.exp()
    >>> handle = y.grad_fn.register_hook(lambda grad_inputs, grad_outputs: (grad_inputs[0] * 0,))
    >>> y.backward()
    >>> x.grad
    tensor([0.])
    """
    if self.hooks is None:
        self.hooks = OrderedDict()
    return add_hook(self.hooks, fn)


def _register_prehook(self: Node, fn: Callable[..., Any]) -> RemovableHandle:
    """Call ``fn(grad_outputs)`` before the node runs; what it returns replaces ``grad_outputs``.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0], requires_grad=True)
    >>> y = x * 2
    >>> handle = y.grad_fn.register_prehook(lambda grad_outputs: (grad_outputs[0] * 10,))
    >>> y.backward()
    >>> x.grad
    tensor([20.])
    """
    return add_prehook(self, fn, ON_NODE)


Node.register_hook = _register_hook  # type: ignore[attr-defined]
Node.register_prehook = _register_prehook  # type: ignore[attr-defined]


def add_post_accumulate_hook(leaf: AccumulateGrad, hook: Callable[[Any], None]) -> RemovableHandle:
    """Have ``hook(tensor)`` called when a leaf's ``.grad`` has been added to."""
    if leaf.post_hooks is None:
        leaf.post_hooks = OrderedDict()
    return add_hook(leaf.post_hooks, hook)
