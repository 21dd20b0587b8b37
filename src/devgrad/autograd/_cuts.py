"""Where gradients lose their way: a tensor computed from one that requires grad, but not recorded.

What is computed from such a tensor inherits its `Cut`, so that an error far away can name the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import CodeType
from typing import Any, NamedTuple

from ._provenance import line_of, user_line
from ._walk import nodes_from

__all__ = ["Cut", "cut_off", "explain_grad"]


class Cut(NamedTuple):
    """Where, and why.

    Attributes:
        reason: ``"detach"``, ``"mode"`` (grad mode was off), or ``"no derivative"``.
        name: of the operation.
        code, lasti: the user's line.
    """

    reason: str
    name: str
    code: CodeType
    lasti: int

    def __str__(self) -> str:
        where = line_of((self.code, self.lasti))
        if self.reason == "mode":
            return (
                f"{self.name}() was not recorded at {where}, since grad mode was off there: by "
                "no_grad, inference_mode or set_grad_enabled(False)"
            )
        if self.reason == "no derivative":
            return f"the result of {self.name}() at {where} has no derivative"
        return f"{self.name}() cut it off at {where}"


def cut_off(reason: str, name: str) -> Cut:
    """A cut made by the user's present line."""
    return Cut(reason, name, *user_line())


def explain_grad(x: Any, root: Any = None) -> str:
    """Why ``x.grad`` is None, or what to make of it.

    Args:
        x: the tensor whose gradient is missing.
        root: the tensor that ``backward()`` was called on. With it, the graph is searched for
            ``x``, and for the places where the way to it may have been lost.

    >>> import devgrad
    >>> w = devgrad.ones(2, requires_grad=True)
    >>> v = devgrad.ones(2, requires_grad=True)
    >>> loss = (w.detach() * v).sum()
    >>> loss.backward()
    >>> print(devgrad.explain_grad(w, loss))  # doctest: +ELLIPSIS
    No path leads from the root to this tensor. It was lost here:
      detach() cut it off at ...
    """
    edge = x._own_edge()
    if x._grad is not None:
        return "It has a gradient."
    if edge is None:
        because = f": {x._cut}" if x._cut is not None else ". Make it with requires_grad=True"
        return f"It does not require grad{because}."
    if edge.rank < 0 and x._retains is None:
        return (
            f"It is no leaf: {edge.node.name()} computed it at {edge.node.where()}. Only leaves "
            "keep their gradients; call retain_grad() on it before backward()."
        )
    if root is None:
        return (
            "It requires grad, and no gradient has arrived since it was made, or since "
            "zero_grad(). Has backward() been called, on something computed from it? Pass that as "
            "the root."
        )
    start = root._own_edge()
    if start is None:
        because = "." if root._cut is None else f": {root._cut}."
        return f"The root does not require grad{because}"
    nodes = nodes_from([start])
    if any(node is edge.node for node in nodes):
        return (
            "A path leads from the root to this tensor: backward() has not been called on the root "
            "since, or an operation on the way has a derivative of zero everywhere."
        )
    cuts = list(_distinct(node.__dict__.get("cut") for node in nodes))
    if not cuts:
        return "No path leads from the root to this tensor: the root was not computed from it."
    return "\n".join(
        ["No path leads from the root to this tensor. It was lost here:", *[f"  {c}" for c in cuts]]
    )


def _distinct(cuts: Iterable[Cut | None]) -> Iterable[Cut]:
    return dict.fromkeys(cut for cut in cuts if cut is not None)
