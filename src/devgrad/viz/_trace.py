"""From a graph of nodes to what is drawn: variables, and the operators between them.

A node stands for an operator *and* for its result; in a picture those are two things. A leaf that
requires no grad has no node at all: it is found among the arrays that a node has saved, or, after
a backward pass has given those back, by its name in the user's line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from .._tensor import Tensor
from ..autograd._graph import AccumulateGrad, Edge, Node
from ..autograd._walk import kept_arrays, nodes_from
from ._names import Names
from ._source import Expression, Place, expression_of, place_of

__all__ = ["Operator", "Trace", "Variable", "trace"]


@dataclass(eq=False)
class Variable:
    """A circle.

    Attributes:
        kind: ``"root"``, ``"leaf"`` or ``"value"``, a non-leaf.
        name: what the user calls it; "" if that is not known.
        gradient: the norm of its ``.grad``, None where it has none.
        place: where it was computed.
    """

    kind: str
    name: str
    shape: tuple[int, ...]
    dtype: str
    requires_grad: bool
    gradient: float | None = None
    place: Place | None = None
    again: bool = False  # drawn a second time, near another operator that takes it


@dataclass(eq=False)
class Operator:
    """A box.

    Attributes:
        title: the node's name without ``Backward0``; of several, what they have in common.
        inputs, outputs: its variables, in the order of the operands.
        count: of how many nodes.
        folded: whether it stands for a line, a function or a module.
    """

    title: str
    inputs: list[Variable]
    outputs: list[Variable]
    place: Place | None
    node: Node | None = None
    count: int = 1
    folded: bool = False


@dataclass
class Trace:
    """What is drawn: operators from the oldest to the newest."""

    operators: list[Operator]
    roots: list[Variable]
    alone: list[Variable] = field(default_factory=list)  # roots that no operator computed
    modules: dict[str, str] = field(default_factory=dict)  # names of modules -> their classes

    def variables(self) -> list[Variable]:
        """All variables, each once."""
        found: dict[int, Variable] = {}
        for operator in self.operators:
            for variable in (*operator.inputs, *operator.outputs):
                found[id(variable)] = variable
        for variable in self.alone:
            found[id(variable)] = variable
        return list(found.values())


def trace(outputs: Sequence[Tensor], names: Names) -> Trace:
    """What the graph of ``outputs`` consists of."""
    return _Tracer(names).run(outputs)


def norm_of(gradient: Tensor | None) -> float | None:
    """The norm of a gradient as a number."""
    if gradient is None:
        return None
    value = gradient.detach()
    return float((value * value.conj()).real.sum().item() ** 0.5 if value.is_complex()
                 else (value.double() ** 2).sum().item() ** 0.5)  # fmt: skip


class _Tracer:
    def __init__(self, names: Names) -> None:
        self.names = names
        self.by_edge: dict[tuple[int, int], Variable] = {}
        self.constants: dict[int, Variable] = {}
        self.expressions: dict[int, Expression | None] = {}

    def run(self, outputs: Sequence[Tensor]) -> Trace:
        edges = [y._own_edge() for y in outputs]
        nodes = nodes_from(edges)
        inner = [node for node in nodes if node.__class__ is not AccumulateGrad]
        self.last = self._read_source(inner)
        for node in inner:
            if node.outputs is None:
                self._variable(node)
        for edge in edges:
            if edge is not None:
                self._variable(edge)
        inputs = [list(self._inputs(node)) for node in inner]  # before anyone asks for outputs
        operators = [self._operator(node, given) for node, given in zip(inner, inputs)]
        roots, alone = [], []
        for y, edge in zip(outputs, edges):
            root = self._constant(y._array, y._type) if edge is None else self._variable(edge)
            if root.kind != "leaf":
                root.kind = "root"
            elif edge is None or not any(root in op.inputs for op in operators):
                alone.append(root)
            root.gradient = norm_of(y._grad) if root.gradient is None else root.gradient
            roots.append(root)
        return Trace(operators, roots, alone, self.names.modules)

    def _read_source(self, nodes: Iterable[Node]) -> set[int]:
        """Read the nodes' expressions; the nodes that gave an expression its value.

        An expression may take several nodes: ``softmax`` of a loss, say. They were made one
        directly after the other, and the last of them is the value - unless each is what the
        expression calls, in a loop.
        """
        last: dict[Any, Node] = {}
        values: set[int] = set()
        before: Any = None
        for node in nodes:
            expression = expression_of(node.code, node.lasti)
            self.expressions[node.rank] = expression
            called = getattr(getattr(node, "op", None), "name", None)
            key: Any = (node.code, node.lasti)
            if expression is not None and called is not None and called == expression.function:
                values.add(node.rank)
            elif key != before:
                last[key, node.rank] = node
                current = (key, node.rank)
            else:
                last[current] = node
            before = key
        return values | {node.rank for node in last.values()}

    def _operator(self, node: Node, inputs: list[Variable]) -> Operator:
        numbers = range(node.outputs) if node.outputs is not None else (None,)
        outputs = [
            found
            for number in numbers
            if (found := self.by_edge.get((node.rank, number or 0))) is not None
        ]
        title = node.name().rpartition("::")[2]
        title = title.partition("Backward")[0] or title
        return Operator(title, inputs, outputs, _place(node), node)

    # --- variables ------------------------------------------------------------------------------

    def _variable(self, edge: Edge) -> Variable:
        key = edge.rank, edge.index
        found = self.by_edge.get(key)
        if found is not None:
            return found
        node = edge.node
        name = self.names.of_edge(edge)
        tensor = self.names.tensor_of(edge)
        if isinstance(node, AccumulateGrad):
            tensor = node.variable
            kind, place = "leaf", None
        else:
            kind, place = "value", _place(node)
            name = name or self._assigned(node, edge.index)
        made = Variable(
            kind, name, tuple(edge.shape), edge.tensor_type.dtype.name, True,
            norm_of(tensor._grad) if tensor is not None else None, place,
        )  # fmt: skip
        self.by_edge[key] = made
        return made

    def _assigned(self, node: Node, index: int) -> str:
        """The name that the user's line gives to the node's result."""
        expression = self.expressions.get(node.rank)
        if expression is None or node.rank not in self.last:
            return ""
        targets = expression.targets
        if len(targets) > 1:
            return targets[index] if index < len(targets) and node.outputs else ""
        return targets[0] if targets and node.outputs is None else ""

    def _constant(self, array: Any, kind: Any, name: str = "") -> Variable:
        found = self.constants.get(id(array))
        if found is None:
            name = self.names.of_array(array) or name
            found = Variable("leaf", name, tuple(array.shape), kind.dtype.name, False)
            self.constants[id(array)] = found
        return found

    def _inputs(self, node: Node) -> Iterator[Variable]:
        called = self._operand_names(node)
        for position, (edge, array) in enumerate(_operands(node)):
            name = called[position] if position < len(called) else None
            if edge is not None:
                variable = self._variable(edge)
                if not variable.name and variable.kind == "leaf" and name:
                    variable.name = name
                yield variable
            elif array is not None:
                # An unnamed array of one element is a number of the user's: x * 2.
                named = name and isinstance(self.names.look_up(name, node.code), Tensor)
                if array.size > 1 or named or self.names.of_array(array):
                    kind = node.tensor_type if node.outputs is None else node.tensor_type[0]
                    yield self._constant(array, kind.device.types[array.dtype], name or "")
            elif name:
                tensor = self.names.look_up(name, node.code)
                if isinstance(tensor, Tensor) and not tensor.requires_grad:
                    yield self._constant(tensor._array, tensor._type, name)

    def _operand_names(self, node: Node) -> tuple[str | None, ...]:
        """What the user's line calls the operands of a node, in their order."""
        expression = self.expressions.get(node.rank)
        called = getattr(getattr(node, "op", None), "name", None)
        if expression is None or node.rank not in self.last or called is None:
            return ()
        names = expression.operands
        if expression.dotted:
            first = names[0] if names else None
            owner = self.names.look_up(first, node.code) if first else None
            # torch.mul(w, x): not a tensor's method.
            if isinstance(owner, ModuleType) or (owner is None and first in ("torch", "devgrad")):
                names = names[1:]
        elif expression.function is not None and len(names) == 2 and names[0] == "":
            names = names[::-1]  # 2 * x is taken as x * 2
        return names


def _place(node: Node) -> Place:
    return place_of(node.code, node.lasti)


def _operands(node: Node) -> list[tuple[Edge | None, Any]]:
    """For each operand of a node: where its gradient goes, and its array if that was saved."""
    op: Any = getattr(node, "op", None)
    edges = node.edges
    if op is None:
        return [(edge, None) for edge in edges]
    saved = node.saved if node.saved.__class__ is tuple else ()
    entries = dict(zip(op.saved_names, saved))

    def array_of(entry: Any) -> Any:
        return next((array for array, _, _ in kept_arrays((entry,))), None)

    if op.variadic:
        row = entries.get(op.variadic) or [None] * len(edges)
        return [(edge, array_of(entry)) for edge, entry in zip(edges, row)]
    edge_of = dict(zip(op.edge_names, edges))
    return [(edge_of.get(p.name), array_of(entries.get(p.name))) for p in op.tensors]
