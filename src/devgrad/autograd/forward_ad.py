"""Forward mode: derivatives carried along with the computation. PyTorch's ``autograd.forward_ad``.

A *dual* tensor is a tensor with a *tangent*, the direction in which it moves. Each operation moves
its result by its Jacobian times the tangents of its operands. No formulas are needed beside those
of the backward pass:

* of an elementwise operation, the Jacobian is diagonal, and its rule multiplies by the diagonal,
  whether by a gradient or by a tangent;
* any other rule, ``vjp(u)``, is linear in ``u``. Its transpose, which is the Jacobian itself, is
  the derivative of ``<vjp(u), tangent>`` by ``u``.

The tangent hangs on the node that made the tensor, so it lives as long as that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import devgrad  # tensors and operations stand above: their names are looked up when called

from ._api import arithmetic, grad
from ._graph import AccumulateGrad, Edge, Node, next_rank
from ._modes import mode, set_recorder
from ._provenance import user_line
from ._walk import nodes_from

__all__ = ["Level", "Sources", "UnpackedDualTensor", "alias", "dual_level", "enter_dual_level",
           "exit_dual_level", "make_dual", "needed", "unpack_dual"]  # fmt: skip


class UnpackedDualTensor(NamedTuple):
    """The two parts of a dual tensor; the tangent is None if there is none."""

    primal: Any
    tangent: Any


class _Alias(Node):
    """The node of a dual tensor, and of its primal part: it hands gradients on as they are."""

    __slots__ = ()

    def name(self) -> str:
        return "AliasBackward0"

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return (g[...],)

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return (g,)


def alias(tensor: Any) -> Any:
    """The same memory behind a node of its own."""
    node = _Alias()
    node.edges = (tensor._own_edge(),)
    node.saved, node.rank = (), next_rank()
    node.shape, node.tensor_type = tensor._array.shape, tensor._type
    node.code, node.lasti = user_line()
    result = tensor.detach()
    result._edge = node
    return result


def needed(tensor: Any, own: Sequence[Any] = ()) -> bool:
    """Whether someone may want the gradient, or the tangent, of ``tensor``: it comes from a leaf,
    or from what a derivative that is being taken now is taken by; ``own`` are not counted."""
    edge = tensor._own_edge()
    sources = mode.sources - {x._edge.rank for x in own}
    return edge is not None and any(
        isinstance(node, AccumulateGrad) or node.rank in sources for node in nodes_from([edge])
    )


class Sources:
    """Within the block, derivatives are taken by these tensors, each behind a node of its own."""

    def __init__(self, tensors: Sequence[Any]) -> None:
        self.tensors = [alias(tensor) for tensor in tensors]
        self.ranks = {tensor._edge.rank for tensor in self.tensors}

    def __enter__(self) -> list[Any]:
        mode.sources = mode.sources | self.ranks
        return self.tensors

    def __exit__(self, *exc: object) -> None:
        mode.sources = mode.sources - self.ranks


class Level:
    """What tangents belong to: one derivative that is being taken. Levels may be nested.

    As a recorder (see `_modes`), it is told of each node that is made.
    """

    def __enter__(self) -> Level:
        self.outer = mode.recorder
        self.ranks: set[int] = set()
        set_recorder(self)
        return self

    def __exit__(self, *exc: object) -> None:
        set_recorder(self.outer)
        mode.sources = mode.sources - self.ranks

    def made(self, node: Node) -> None:
        """Compute the tangents of a new node, outside of this level."""
        before = mode.recorder
        set_recorder(self.outer)
        try:
            if self.outer is not True:
                self.outer.made(node)  # first, since rules may use what the node gave
            self._push(node)
        finally:
            set_recorder(before)

    def dual(self, primal: Any, tangent: Any) -> Any:
        """``primal`` with a tangent."""
        result = alias(primal)
        self._keep(result._edge, [tangent])
        self.ranks.add(result._edge.rank)
        mode.sources = mode.sources | {result._edge.rank}
        return result

    def unpack(self, tensor: Any) -> UnpackedDualTensor:
        """``tensor`` without its tangent, and the tangent."""
        edge = tensor._own_edge()
        if edge is None:
            return UnpackedDualTensor(tensor, None)
        tangent = self.tangent(edge)
        inside, mode.sources = mode.sources, mode.sources - self.ranks
        try:
            # What is dual seems to require grad.
            primal = alias(tensor) if needed(tensor) else tensor.detach()
            if tangent is not None and not needed(tangent):
                tangent = tangent.detach()
        finally:
            mode.sources = inside
        if primal._edge is not None:
            self._keep(primal._edge, [None])
        return UnpackedDualTensor(primal, tangent)

    def _keep(self, node: Any, tangents: list[Any]) -> None:
        node.__dict__.setdefault("tangents", {})[self] = tangents

    def tangent(self, edge: Edge | None) -> Any:
        """The tangent of the tensor whose gradient goes along ``edge``; None if it has none."""
        if edge is None or isinstance(edge, AccumulateGrad):
            return None
        node = edge.node
        if self not in node.__dict__.get("tangents", {}):
            if isinstance(node, _Alias):
                return self.tangent(node.edges[0])
            if hasattr(node, "op"):
                return None  # it was told of when it was made, and nothing came in
            self._push(node)  # what changes in place leave behind
        tangents = node.__dict__.get("tangents", {}).get(self)
        return None if tangents is None else tangents[edge.index]

    def _push(self, node: Any) -> None:
        tangents = [self.tangent(edge) for edge in node.edges]
        if any(t is not None for t in tangents):
            custom = getattr(node, "tangents_by_jvp", None)
            if custom is not None:
                self._keep(node, custom(tangents))
            elif hasattr(node, "op") and node.op.elementwise:
                self._keep(node, [_along_diagonal(node, tangents)])
            else:
                self._keep(node, _transposed(node, tangents))


def _along_diagonal(node: Any, tangents: Sequence[Any]) -> Any:
    """The tangent of an elementwise operation's result."""
    values = node.saved_values()
    total: Any = None
    for name, edge, tangent in zip(node.op.edge_names, node.edges, tangents, strict=True):
        rule, names = node.op.rules[name]
        if tangent is None or rule is None or edge is None:
            continue
        # Rules multiply by the conjugate of the derivative.
        part = rule(tangent.conj(), *[values[n] for n in names]).conj()
        total = part if total is None else total + part
    if total is None:
        return None
    kind = node.tensor_type
    return total.to(kind.dtype).expand(node.shape)


def _transposed(node: Any, tangents: Sequence[Any]) -> list[Any]:
    """The tangents of a node's outputs: its Jacobian, as the transpose of its rules."""
    shapes, kinds = (
        ([node.shape], [node.tensor_type]) if node.outputs is None
        else (node.shape, node.tensor_type)
    )  # fmt: skip
    before, mode.grad = mode.grad, mode.recorder
    try:
        dummies = [
            alias(devgrad.zeros(shape, dtype=kind.dtype, device=kind.device))
            for shape, kind in zip(shapes, kinds, strict=True)
        ]
        edges = [e if t is not None else None for e, t in zip(node.edges, tangents, strict=True)]
        found = node.vjp_on_tensors(dummies[0] if node.outputs is None else dummies, edges)
        product: Any = 0
        for vjp, edge, tangent in zip(found, edges, tangents, strict=True):
            if vjp is not None and edge is not None:
                vjp = arithmetic["tensors"].fit(vjp, edge)
                term = (vjp.conj() * tangent).sum()
                product = product + (term.real if term.is_complex() else term)
        if not isinstance(product, devgrad.Tensor) or not product.requires_grad:
            return [devgrad.zeros_like(dummy).detach() for dummy in dummies]
        parts = grad(product, dummies, create_graph=True, materialize_grads=True)
    finally:
        mode.grad = before
    return [part if needed(part) else part.detach() for part in parts]


# --- PyTorch's names ------------------------------------------------------------------------------

_levels: list[Level] = []


def enter_dual_level() -> int:
    """Begin a level of forward mode; `make_dual` is possible within.

    Raises:
        RuntimeError: there is one already.
    """
    if _levels:
        raise RuntimeError(
            "Nested forward mode AD is not supported at the moment. Use torch.func.jvp, which may "
            "be nested"
        )
    _levels.append(Level().__enter__())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level of forward mode.

    Raises:
        RuntimeError: there is none.
    """
    if not _levels:
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This "
            "is not supported."
        )
    _levels.pop().__exit__()


class dual_level:
    """Within the block, tensors may carry tangents.

    >>> import devgrad
    >>> from devgrad.autograd import forward_ad as fwAD
    >>> x, direction = devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.0, 0.0])
    >>> with fwAD.dual_level():
    ...     y = (fwAD.make_dual(x, direction) ** 3).sum()
    ...     fwAD.unpack_dual(y).tangent
    tensor(3.)
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()


def make_dual(tensor: Any, tangent: Any, *, level: int | None = None) -> Any:
    """``tensor`` with a tangent of the same shape.

    Raises:
        RuntimeError: there is no level, or the shapes differ.
        ValueError: a dtype is neither floating point nor complex.
    """
    if not _levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for x, what in ((tensor, "primal"), (tangent, "tangent")):
        if not x._type.floating:
            raise ValueError(f"Expected {what} to be floating point or complex, but got: {x.dtype}")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original "
            f"Tensor, this is not supported. Tensor is of size {list(tensor.shape)} while the "
            f"given forward gradient is of size {list(tangent.shape)}."
        )
    return _levels[-1].dual(tensor, tangent)


def unpack_dual(tensor: Any, *, level: int | None = None) -> UnpackedDualTensor:
    """The two parts of a dual tensor."""
    return _levels[-1].unpack(tensor) if _levels else UnpackedDualTensor(tensor, None)
