"""How one declaration becomes an operation.

    @op(promotes=True, inplace=True, dunders=("__mul__", "__rmul__"))
    def mul(xp, input: Array, other: Array) -> Array:
        return xp.multiply(input, other)

    mul.vjp(input=lambda g, other: g * conj(other),
            other=lambda g, input: g * conj(input))

The forward works on bare arrays; ``xp`` is the namespace of the device's array functions. Its
parameters annotated ``Array`` are tensors to the user, ``Array | None`` may be left out,
``Arrays`` is a sequence of tensors, and the rest are plain arguments.

A rule (vjp: vector-Jacobian product) takes the gradient ``g`` of the output and gives the gradient
of one input. It is written with operators and with ops. *What it names is what is saved*: inputs,
``out`` (or the outputs' own names), plain arguments, and ``input_shape`` for the shape of
``input``. The engine undoes broadcasting and promotion, so no rule has to. The same rule runs on
arrays in ``backward()``, and on tensors with ``create_graph=True``, where it is recorded itself:
that is all there is to derivatives of higher order. A rule of None stands for a gradient of zero.

From this are made: the function, the method, the operators, the in-place form, ``out=``, and the
node class ``MulBackward0``. The function is straight-line code that ``_compile.py`` writes for
the operation the first time it is called; ``print(mul.source)`` shows it.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any, overload

from .._tensor import Tensor, wrap
from ..autograd._graph import Edge, Node, OutputEdge, Released
from ..device import array_namespace, known_namespaces
from ._arguments import explained
from ._errors import freed, modified

__all__ = ["FUNCTIONS", "METHODS", "OPS", "AnyDevice", "Array", "Arrays", "Ints", "Number", "Op",
           "OpNode", "Parameter",
           "composite", "op"]  # fmt: skip

# What parameters are annotated with, besides Python's own types; see _arguments.py.
Array = Any  # a tensor, to the user
Arrays = Sequence[Any]
Number = Any  # a number, or a 0-dim tensor
Ints = Any  # a tuple or list of ints
AnyDevice = Any  # a device, its name or number, or None: what ``device=`` takes

OPS: dict[str, Op] = {}  # every declared op, by name
FUNCTIONS: dict[str, dict[str, Any]] = {}  # namespace ("" is devgrad itself) -> name -> function
METHODS: dict[str, Any] = {}  # methods of Tensor


@dataclass
class Parameter:
    """A parameter of an operation, read off its forward's signature."""

    name: str
    kind: str  # "tensor", "tensors" or "plain"
    optional: bool  # a tensor that may be None
    keyword_only: bool
    default: Any


REQUIRED = object()


def _parameters(forward: Any) -> list[Parameter]:
    code, notes = forward.__code__, forward.__annotations__
    assert all(isinstance(note, str) for note in notes.values()), (
        f"{forward.__module__} needs `from __future__ import annotations`: annotations are read"
    )
    positional = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = dict(zip(reversed(positional), reversed(forward.__defaults__ or ()), strict=False))
    defaults.update(forward.__kwdefaults__ or {})
    found = []
    for name in (*positional[1:], *keywords):
        note = str(notes.get(name, ""))
        kind = {"Array": "tensor", "Array | None": "tensor", "Arrays": "tensors"}.get(note, "plain")
        optional = note == "Array | None"
        found.append(
            Parameter(name, kind, optional, name in keywords, defaults.get(name, REQUIRED))
        )
    return found


# PyTorch's names for what a node has saved, where ours differ.
_SAVED_AS = {"input": "self", "out": "result", "input_shape": "self_sym_sizes"}


class OpNode(Node):
    """A node of a declared operation. Each operation has a subclass with its own ``vjp``.

    What it has saved can be looked at: ``z.grad_fn._saved_self``, ``_saved_other``,
    ``_saved_result``, by PyTorch's names and ours.
    """

    __slots__ = ()
    op: Op

    def edge_of(self, name: str) -> Edge | None:
        """Where the gradient of the input of this name goes."""
        return dict(zip(self.op.edge_names, self.edges, strict=False)).get(name)

    def saved_values(self) -> dict[str, Any]:
        """What was saved, by name; arrays as tensors that know where they come from.

        Raises:
            RuntimeError: it was given back, or changed in place.
        """
        if self.saved.__class__ is Released:
            raise freed(self)
        values = dict(zip(self.op.saved_names, self.saved, strict=True))
        edges = dict(zip(self.op.edge_names, self.edges, strict=False))
        for name in self.op.saved_arrays:
            entry = values[name]
            if name == self.op.variadic:
                values[name] = [
                    self._unpacked(name, e, edge) for e, edge in zip(entry, self.edges, strict=True)
                ]
            elif entry is not None:
                edge = edges.get(name)
                if name in self.op.output_names:
                    index = self.op.output_names.index(name)
                    edge = self if self.outputs is None else OutputEdge(self, index)
                    if index >= self.op.differentiable:
                        edge = None
                values[name] = self._unpacked(name, entry, edge)
        return values

    def saved_parts(self) -> list[Any]:
        """The saved tensors, one (or a list) for each entry of ``saved``; None for the others."""
        values, arrays = self.saved_values(), self.op.saved_arrays
        return [values[name] if name in arrays else None for name in self.op.saved_names]

    def _unpacked(self, name: str, entry: Any, edge: Edge | None) -> Tensor:
        array, version, expected = entry
        device = (self.tensor_type if self.outputs is None else self.tensor_type[0]).device
        kind = device.types[array.dtype]
        if version[0] != expected:
            raise modified(self, array, version, expected, name)
        tensor = wrap(array, kind, version)
        tensor._edge = edge
        return tensor

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        values = self.saved_values()

        def gradient(name: str) -> Any:
            rule, names = self.op.rules[name]
            return None if rule is None else rule(g, *[values[n] for n in names])

        if self.op.variadic:
            return gradient(self.op.variadic)
        return [
            None if edge is None else gradient(name)
            for name, edge in zip(self.op.edge_names, edges, strict=True)
        ]


def _saved(name: str) -> property:
    """What shows a saved value of a node: ``z.grad_fn._saved_other``."""
    return property(lambda node: node.saved_values()[name])


def _ufunc(forward: Any) -> str | None:
    """The name of the array function that a forward is no more than a call of."""
    code = forward.__code__
    template = _CALLS.get(code.co_argcount - 1 if not code.co_kwonlyargcount else 0)
    return code.co_names[0] if code.co_code == template and len(code.co_names) == 1 else None


# The bytecode of such forwards, by their number of operands.
_CALLS = {
    1: (lambda xp, a: xp.f(a)).__code__.co_code,
    2: (lambda xp, a, b: xp.f(a, b)).__code__.co_code,
}


class Op:
    """A declared operation; see the module's text. Called, it is polymorphic: on tensors it is the
    public function, on bare arrays the bare forward. Rules use it so."""

    # Called with the operands as the user gave them, before they are promoted; raises.
    check: Callable[[tuple[Any, ...]], None] | None = None

    def __init__(
        self,
        forward: Callable[..., Any],
        *,
        name: str | None = None,
        node: str | None = None,
        promotes: bool | Sequence[str] = False,
        floating: bool = False,
        numbers: bool | Sequence[str] = True,
        view: bool = False,
        outputs: Sequence[str] = (),
        several: bool = False,
        differentiable: int = 1,
        elementwise: bool = False,
    ) -> None:
        self.forward = forward
        self.name = name or forward.__name__.rstrip("_")
        self.parameters = _parameters(forward)
        self.tensors = [p for p in self.parameters if p.kind == "tensor"]
        self.variadic = next((p.name for p in self.parameters if p.kind == "tensors"), None)
        self.promotes = bool(promotes) or floating
        chosen = None if isinstance(promotes, bool) else promotes
        self.promoted = [p for p in self.tensors if chosen is None or p.name in chosen]
        self.floating = floating
        self.ufunc = _ufunc(forward) if len(self.tensors) == len(self.parameters) else None
        self.elementwise = elementwise or self.ufunc is not None
        names = [p.name for p in self.promoted]
        self.numbers = frozenset(names if numbers is True else numbers or ())
        self.view = view
        self.several = several  # returns a list of outputs, all differentiable, of any length
        self.differentiable = differentiable
        self.output_names = tuple(outputs) or ("out",)
        self.result_type: Any = None
        if outputs:
            self.result_type = _result_type(self.name, outputs)
        camel = "".join(part.capitalize() for part in self.name.split("_"))
        self.rules: dict[str, tuple[Callable[..., Any] | None, tuple[str, ...]]] = {}
        self.edge_names: tuple[str, ...] = ()  # the parameters that have rules, in order
        self.saved_names: tuple[str, ...] = ()  # what the rules ask for, in order
        self.saved_arrays: tuple[str, ...] = ()  # those of them that are arrays
        self.node_class = type(
            node or f"{camel}Backward0", (OpNode,), {"__slots__": (), "op": self}
        )
        self.source = ""
        self.namespace: dict[str, Any] = {"op": self}
        self.function: Any = self._stub()
        self.operator: Any = None
        self.inplace: Any = None
        OPS[self.name] = self

    def _stub(self, face: str = "function") -> Any:
        """What stands for a face of the operation until it is first called, and then becomes it."""
        name = f"{self.name}_" if face == "inplace" else self.name
        function = FunctionType(_compile_first.__code__, self.namespace, name)
        function.__kwdefaults__ = {"_face": face}
        function.__doc__ = self.forward.__doc__
        function.__module__ = "devgrad"
        function.__qualname__ = name
        return function

    def vjp(self, /, **rules: Callable[..., Any] | None) -> Op:
        """Say how the gradient of the output becomes those of the inputs, by parameter."""
        for name, rule in rules.items():
            names = () if rule is None else rule.__code__.co_varnames[1 : rule.__code__.co_argcount]
            self.rules[name] = (rule, names)
        order = [p.name for p in self.parameters]
        known = {*order, *self.output_names, *(f"{n}_shape" for n in order)}
        for name, (_, names) in self.rules.items():
            unknown = set(names) - known
            assert not unknown, f"{self.name}.vjp: the rule of {name!r} asks for {unknown}"
        assert set(rules) <= set(order), f"{self.name}.vjp names {set(rules) - set(order)}"
        self.edge_names = tuple(n for n in order if n in self.rules)
        asked = [n for name in self.edge_names for n in self.rules[name][1]]
        self.saved_names = tuple(dict.fromkeys(asked))
        arrays = {p.name for p in self.parameters if p.kind != "plain"} | set(self.output_names)
        self.saved_arrays = tuple(n for n in self.saved_names if n in arrays)
        self.node_class.releases = bool(self.saved_arrays)  # type: ignore[attr-defined]
        for name in self.saved_names:
            for title in (name, _SAVED_AS.get(name, name)):
                setattr(self.node_class, f"_saved_{title}", _saved(name))
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        xp = known_namespaces.get(args[0].__class__)
        if xp is not None:
            return self.forward(xp, *args, **kwargs)
        # The first array or tensor decides: a number may stand before it, as in where(m, 0.0, g).
        for x in args if self.variadic is None else args[0]:
            if isinstance(x, Tensor):
                break
            xp = array_namespace(x)
            if xp is not None:
                return self.forward(xp, *args, **kwargs)
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<devgrad op {self.name}>"


def _compile_first(*args: Any, _face: str = "function", **kwargs: Any) -> Any:
    # The body of an operation's function until it is first called: see Op._stub.
    from devgrad.ops._compile import build

    build(op, _face)  # type: ignore[arg-type]
    return getattr(op, _face)(*args, **kwargs)


def _result_type(name: str, fields: Sequence[str]) -> Any:
    """A named tuple that prints as PyTorch's: ``torch.return_types.max(values=…, indices=…)``."""
    title = name.rpartition(".")[2]
    cls: Any = namedtuple(title, fields)  # type: ignore[misc]

    def text(self: Any) -> str:
        parts = ",\n".join(f"{n}={v!r}" for n, v in zip(self._fields, self, strict=True))
        return f"torch.return_types.{title}(\n{parts})"

    cls.__repr__ = text  # type: ignore[method-assign]
    cls.__module__ = "devgrad.return_types"
    return cls


def _register(
    function: Any, name: str, *, namespaces: Sequence[str], method: bool, changed: Any,
    aliases: Sequence[str], dunders: Sequence[str], operator: Any, varargs: bool,
) -> None:  # fmt: skip
    """Make a function, and its in-place form ``changed``, known under all its names."""
    if namespaces and namespaces[0]:
        function.__module__ = f"devgrad.{namespaces[0]}"  # where pickle looks for it
    for alias in (name, *aliases):
        for namespace in namespaces:
            FUNCTIONS.setdefault(namespace, {})[alias] = function
        if changed is not None and "" in namespaces:
            FUNCTIONS[""].setdefault(f"{alias}_", changed)
        if method:
            METHODS[alias] = _with_varargs(function) if varargs else function
            if changed is not None:
                METHODS[f"{alias}_"] = _with_varargs(changed) if varargs else changed
    for dunder in dunders:
        in_place = dunder.startswith("__i") and dunder != "__invert__"
        METHODS[dunder] = changed if in_place else operator


def _with_varargs(function: Any) -> Any:
    """The method that takes ``x.permute(1, 0)`` as well as ``x.permute((1, 0))``."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if args and not isinstance(args[0], (tuple, list)):
            args = (args,)
        return function(self, *args, **kwargs)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


@overload
def op(forward: Callable[..., Any], /, **options: Any) -> Op: ...
@overload
def op(forward: None = None, /, **options: Any) -> Callable[[Callable[..., Any]], Op]: ...
def op(  # type: ignore[misc]  # the overload names no options
    forward: Callable[..., Any] | None = None, /, *, name: str | None = None,
    node: str | None = None,
    promotes: bool | Sequence[str] = False, floating: bool = False,
    numbers: bool | Sequence[str] = True, view: bool = False,
    outputs: Sequence[str] = (), several: bool = False, differentiable: int = 1,
    elementwise: bool = False,
    function: bool = True, method: bool = True,
    inplace: bool = False, aliases: Sequence[str] = (), dunders: Sequence[str] = (),
    namespaces: Sequence[str] = ("",), varargs: bool = False,
) -> Any:  # fmt: skip
    """Declare an operation by its forward. See the module's text.

    Args:
        name, node: the public name and the node's, where they are not the function's own.
        promotes: tensor operands are brought to a common dtype; numbers are operands too. The names
            of some parameters: only those are.
        floating: the same, and integers become floats.
        numbers: whether promoted operands may be numbers; the names of some: only those may.
        view: the forward returns a view of its first operand's memory, always.
        outputs: the names of several outputs, which come as a named tuple.
        several: the forward returns a list, of any length, of differentiable outputs; its rule is
            given a list of gradients with None for those that got none.
        differentiable: how many of ``outputs``, from the front, have gradients.
        elementwise: each element of the result depends on the operands' elements at its place
            alone, and on complex numbers holomorphically. (Found out where the forward is one call
            of an array function.) The rules then serve forward mode as they are.
        function, method, inplace: which faces it has.
        aliases: further names. dunders: operators (``__iadd__`` and such get the in-place form).
        namespaces: where the function is public: "" is devgrad itself, "linalg" devgrad.linalg.
        varargs: the method takes its sequence of ints as arguments too: ``x.permute(1, 0)``.
    """

    def declare(forward: Callable[..., Any]) -> Op:
        declared = Op(
            forward, name=name, node=node, promotes=promotes, floating=floating,
            numbers=numbers, view=view,
            outputs=outputs, several=several, differentiable=differentiable,
            elementwise=elementwise,
        )  # fmt: skip
        if dunders:
            declared.operator = declared._stub("operator")
        if inplace:
            declared.inplace = declared._stub("inplace")
        _register(
            declared.function, declared.name, namespaces=namespaces if function else (),
            method=method, changed=declared.inplace, aliases=aliases, dunders=dunders,
            operator=declared.operator, varargs=varargs,
        )  # fmt: skip
        return declared

    return declare if forward is None else declare(forward)


@overload
def composite(body: Callable[..., Any], /, **options: Any) -> Callable[..., Any]: ...
@overload
def composite(
    body: None = None, /, **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...
def composite(  # type: ignore[misc]
    body: Callable[..., Any] | None = None, /, *, method: bool = True, function: bool = True,
    inplace: bool = False, out: bool = True, aliases: Sequence[str] = (),
    dunders: Sequence[str] = (), namespaces: Sequence[str] = ("",), varargs: bool = False,
    checked: bool = False,
) -> Any:  # fmt: skip
    """Declare an operation that is plain Python over tensors and other operations.

    It gets the same faces as an `op`; its derivative follows from what it is made of. Its
    arguments are held against the annotations (`explained`); ``checked``: it sees to them itself,
    which is quicker.
    """
    from ._inplace import inplace_form

    def declare(body: Callable[..., Any]) -> Any:
        name = body.__name__.rstrip("_")
        # What is plain Python in PyTorch takes anything for a flag.
        lenient = frozenset({"bool", "str"} if "nn.functional" in namespaces else ())
        public = body if checked else explained(body, name, out=out, exempt=lenient)
        _register(
            public, name, namespaces=namespaces if function else (), method=method,
            changed=inplace_form(public, name) if inplace else None, aliases=aliases,
            dunders=dunders, operator=body, varargs=varargs,
        )  # fmt: skip
        return public

    return declare if body is None else declare(body)
