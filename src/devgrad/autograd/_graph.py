"""The graph: what a tensor's gradient flows to, and on to.

A tensor that requires grad has an *edge*: the node that will receive its gradient. For a tensor
that was computed, this is the node of the operation that computed it; for a leaf, its
`AccumulateGrad`. A node's own ``edges`` are its inputs' edges, so the graph is nothing but nodes
that point at older nodes; ``None`` stands for an input that does not require grad.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ._provenance import Line, line_of

__all__ = ["AccumulateGrad", "Edge", "Node", "OutputEdge", "Released", "next_rank"]

# Nodes are numbered -1, -2, … as they are made, leaves 1, 2, …: the smallest number is always
# the newest node, and leaves come last. An edge always points at a larger number, so a heap of
# these numbers is a reverse topological order.
next_rank: Callable[[], int] = itertools.count(-1, -1).__next__
_next_leaf_rank = itertools.count(1).__next__


class Released:
    """Stands where a node's saved tensors were, once a backward pass has given them back."""

    __slots__ = ("line",)

    def __init__(self, line: Line) -> None:
        self.line = line  # of the backward pass


class Node:
    """One operation as the backward pass sees it: it turns the gradient of its output into
    gradients of its inputs.

    Attributes:
        edges: where each input's gradient goes; None where none is wanted.
        saved: what the derivative needs: an entry for each name it asks for.
        rank: the place in the order of making; see above.
        shape, tensor_type: of the output, and so of the gradient that arrives here. (Tuples of
            them, one for each output, where `outputs` is set.)
        code, lasti: the user's line that made it.
        outputs: how many differentiable outputs; None for the usual one.
    """

    __slots__ = ("edges", "saved", "rank", "shape", "tensor_type", "code", "lasti",
                 "__dict__", "__weakref__")  # fmt: skip

    edges: tuple[Edge | None, ...]
    saved: Any
    rank: int
    shape: Any
    tensor_type: Any
    outputs: int | None = None
    releases = True  # whether it saves arrays, and must not run once they are given back
    prehooks: dict[int, Any] | None = None  # see `_hooks.Prehook`
    hooks: dict[int, Callable[..., Any]] | None = None  # called when it has run

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        """The gradients of the inputs, on bare arrays; None where ``edges`` has None."""
        raise NotImplementedError

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        """The same on tensors, so that the computation is recorded itself."""
        raise NotImplementedError

    def name(self) -> str:
        """The operation's name, ``MulBackward0``."""
        return type(self).__name__

    def edge_of(self, name: str) -> Edge | None:
        """Where the gradient of the input of this name goes."""
        return None

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """For each input, the node that its gradient goes to and which of its outputs it was."""
        return tuple((None, 0) if edge is None else (edge.node, edge.index) for edge in self.edges)

    # A node is itself the edge to its only output.
    @property
    def node(self) -> Node:
        return self

    index = 0

    @property
    def metadata(self) -> dict[str, Any]:
        """A dict of the user's own, kept with the node."""
        found: dict[str, Any] = self.__dict__.setdefault("_metadata", {})
        return found

    @property
    def line(self) -> Line:
        return self.code, self.lasti

    code: Any
    lasti: int

    def _sequence_nr(self) -> int:
        return -self.rank - 1

    def where(self) -> str:
        """The user's line that made this node, as text."""
        return line_of(self.line)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"


class OutputEdge:
    """The edge to one output of a node that has several."""

    __slots__ = ("index", "node")

    def __init__(self, node: Node, index: int) -> None:
        self.node = node
        self.index = index

    @property
    def rank(self) -> int:
        return self.node.rank

    @property
    def shape(self) -> Any:
        return self.node.shape[self.index]

    @property
    def tensor_type(self) -> Any:
        return self.node.tensor_type[self.index]


class AccumulateGrad(Node):
    """Where a gradient ends: it is added to the leaf's ``.grad``.

    The leaf owns this node, and the node knows its leaf weakly, so that a leaf's memory goes
    when its last name goes.
    """

    __slots__ = ("leaf",)

    def __init__(self, leaf: Any) -> None:
        self.leaf = weakref.ref(leaf)
        self.edges = ()
        self.saved = ()
        self.rank = _next_leaf_rank()
        self.follow(leaf)

    def follow(self, leaf: Any) -> None:
        """Take note of the leaf's present shape and type."""
        self.shape = leaf._array.shape
        self.tensor_type = leaf._type

    @property
    def variable(self) -> Any:
        """The leaf; None once it is gone."""
        return self.leaf()

    post_hooks: dict[int, Callable[[Any], None]] | None = None

    def accumulate(self, g: Any, owned: bool) -> None:
        """Add ``g`` to the leaf's gradient. An array that nobody else holds is taken as it is."""
        leaf = self.leaf()
        if leaf is not None and leaf._edge is not None:  # requires_grad may be off by now
            if leaf._edge is not self:
                raise RuntimeError(
                    "leaf variable has been moved into the graph interior. It was changed in "
                    f"place by {leaf.grad_fn!r} at {leaf.grad_fn.where()}, and is no leaf any more"
                )
            leaf._accumulate(g, owned)
            if self.post_hooks:
                for hook in list(self.post_hooks.values()):
                    hook(leaf)

    def name(self) -> str:
        return "torch::autograd::AccumulateGrad"

    def __repr__(self) -> str:
        return f"<AccumulateGrad object at {id(self):#x}>"

    def where(self) -> str:
        return "a leaf"


Edge = Node | OutputEdge
