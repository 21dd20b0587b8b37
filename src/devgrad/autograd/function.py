"""Operations that the user defines, with their derivatives: PyTorch's ``autograd.Function``."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import devgrad  # tensors and operations stand above: their names are looked up when called

from ..device import user_stacklevel
from ._fit import axes_summed
from ._graph import AccumulateGrad, Edge, Node, OutputEdge, Released, next_rank
from ._modes import mode, no_grad
from ._provenance import line_of, user_line

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What a `Function`'s forward leaves for its backward. Any attribute may be set on it."""

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    to_save: tuple[Any, ...] = ()
    saved_for_forward: tuple[Any, ...] = ()
    dirty_tensors: tuple[Any, ...] = ()
    non_differentiable: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for ``backward``, which finds them in ``saved_tensors``.

        In-place changes of them are then noticed, and no cycle keeps them alive. Call it once.
        """
        self.to_save = tensors

    def save_for_forward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for ``jvp``.

        Raises:
            AssertionError: one is neither a tensor nor None.
        """
        for tensor in tensors:
            assert isinstance(tensor, devgrad.Tensor) or tensor is None, (
                "save_for_forward expects all arguments to be tensors; you should save non-tensors "
                "as attributes on ctx."
            )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args: Any) -> None:
        """Say which inputs were changed in place. They must be returned."""
        self.dirty_tensors = args

    def mark_non_differentiable(self, *args: Any) -> None:
        """Say which outputs have no derivative."""
        self.non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` is given zeros (True, the default) or None for outputs that got no
        gradient."""
        self.materialize_grads = value


class BackwardCFunction(FunctionCtx, Node):
    """The node of one call of a `Function`; to its forward and backward, ``ctx``."""

    __slots__ = ()

    _forward_cls: type[Function]
    _positions: tuple[int, ...] = ()  # of the tensors among the arguments
    _arguments = 0
    _sources: tuple[Any, ...] = ()  # for each saved tensor, where its gradient goes; see `_save`

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What ``save_for_backward`` was given.

        Raises:
            RuntimeError: it was given back, or changed in place.
        """
        from devgrad.ops._errors import freed

        if self.saved.__class__ is Released:
            raise freed(self)
        return tuple([self._unpacked(index, entry) for index, entry in enumerate(self.saved)])

    @property
    def saved_variables(self) -> tuple[Any, ...]:
        """The former name of ``saved_tensors``."""
        warnings.warn(
            "'saved_variables' is deprecated; use 'saved_tensors'",
            DeprecationWarning,
            stacklevel=user_stacklevel(),
        )
        return self.saved_tensors

    def saved_parts(self) -> list[Any]:
        """The saved tensors, one for each entry of ``saved``: for `saved_tensors_hooks`."""
        return list(self.saved_tensors)

    def _unpacked(self, index: int, entry: Any) -> Any:
        from devgrad._tensor import wrap
        from devgrad.ops._errors import modified

        if entry is None:
            return None
        array, version, expected = entry
        source = self._sources[index]
        if version[0] != expected:
            raise modified(self, array, version, expected, f"saved tensor {index}")
        if isinstance(source, AccumulateGrad):
            leaf = source.leaf()
            if leaf is not None and leaf._array is array:
                return leaf
        kinds = self.tensor_type if self.outputs is not None else (self.tensor_type,)
        kind = next(kind for kind in kinds if kind is not None)
        tensor = wrap(array, kind.device.types[array.dtype], version)
        tensor._edge = self._output_edge(source) if isinstance(source, int) else source
        return tensor

    def edge_of(self, name: str) -> Edge | None:
        """Where the gradient of ``"saved tensor 0"`` goes."""
        source = self._sources[int(name.rpartition(" ")[2])]
        return self._output_edge(source) if isinstance(source, int) else source

    def _output_edge(self, index: int) -> Edge:
        return self if self.outputs is None else OutputEdge(self, index)

    def name(self) -> str:
        """``MyFunctionBackward``."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{self.name()} object at {id(self):#x}>"

    # --- forward --------------------------------------------------------------------------------

    def _finish(self, args: Sequence[Any], parts: tuple[Any, ...], single: bool) -> tuple[Any, ...]:
        """Give the outputs their histories, and keep what was to be saved."""
        recorded = bool(mode.grad) and any(self.needs_input_grad)
        for tensor in self.dirty_tensors:
            if any(tensor is a for a in args) and not any(tensor is p for p in parts):
                raise RuntimeError(
                    "Some elements marked as dirty during the forward method were not returned as "
                    "output. The inputs that are modified inplace must all be outputs of the "
                    "Function."
                )
            if recorded and isinstance(tensor._own_edge(), AccumulateGrad):
                raise RuntimeError(
                    "a leaf Variable that requires grad has been used in an in-place operation. "
                    f"{self._forward_cls.__name__} marked it as dirty, at {line_of(user_line())}; "
                    "give it a clone()"
                )
        tensors = [isinstance(p, devgrad.Tensor) for p in parts]
        self.outputs = None if single else len(parts)
        shapes = [p._array.shape if t else None for p, t in zip(parts, tensors, strict=True)]
        kinds = [p._type if t else None for p, t in zip(parts, tensors, strict=True)]
        self.shape, self.tensor_type = (
            (shapes[0], kinds[0]) if single else (tuple(shapes), tuple(kinds))
        )
        self.rank = next_rank()
        self.code, self.lasti = user_line()
        outputs = [
            self._output(index, part, args, recorded) if tensor else part
            for index, (part, tensor) in enumerate(zip(parts, tensors, strict=True))
        ]
        if recorded:
            self._save(args, parts)
            if mode.grad is not True:
                mode.grad.made(self)
        self.__dict__.pop("to_save", None)
        return tuple(outputs)

    def _output(self, index: int, part: Any, args: Sequence[Any], recorded: bool) -> Any:
        from devgrad._tensor import View, wrap
        from devgrad.ops._inplace import bump, rebase

        differentiable = (
            recorded and part._type.floating and not any(part is t for t in self.non_differentiable)
        )
        edge = self._output_edge(index) if differentiable else None
        is_input = any(part is a for a in args)
        if any(part is d for d in self.dirty_tensors):
            if not is_input:
                warnings.warn(
                    "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors "
                    "that have been mutated should be passed to ctx.mark_dirty().",
                    UserWarning,
                    stacklevel=user_stacklevel(),
                )
            bump(part)
            if edge is not None:
                rebase(part, edge)
            return part
        if is_input:
            # Returned as it is: an alias, so that the input keeps its own history.
            view = View(part, (lambda xp, array: array[...], (), None))
            part = wrap(part._array, part._type, part._changes)
            part._view = view
        if part._view is not None and recorded:
            part._view.origin = "function"
        part._edge = edge
        return part

    def _save(self, args: Sequence[Any], parts: Sequence[Any]) -> None:
        """Keep arrays with their versions: of inputs with where their gradients go, of outputs by
        number, since a reference would be a cycle."""
        entries: list[Any] = []
        sources: list[Any] = []
        for index, tensor in enumerate(self.to_save):
            if tensor is None:
                entries.append(None)
                sources.append(None)
                continue
            if not isinstance(tensor, devgrad.Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {index} is of type "
                    f"{type(tensor).__name__}"
                )
            if tensor._changes is None:
                raise RuntimeError("Inference tensors cannot be saved for backward.")
            entries.append((tensor._array, tensor._changes, tensor._changes[0]))
            number = next((i for i, p in enumerate(parts) if p is tensor), None)
            dirty = any(tensor is d for d in self.dirty_tensors)
            if number is not None and (dirty or not any(tensor is a for a in args)):
                sources.append(number if tensor._edge is not None else None)
            else:
                sources.append(tensor._own_edge())
        self.saved, self._sources = tuple(entries), tuple(sources)

    def tangents_by_jvp(self, tangents: Sequence[Any]) -> list[Any]:
        """The tangents of the outputs in forward mode, as the user's ``jvp`` gives them."""
        given = [None] * self._arguments
        for position, tangent in zip(self._positions, tangents, strict=True):
            given[position] = tangent
        found = self._forward_cls.jvp(self, *given)
        return list(found) if isinstance(found, tuple) else [found]

    # --- backward -------------------------------------------------------------------------------

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        """See `Node.vjp`."""
        from devgrad._tensor import wrap

        def tensor(part: Any, kind: Any) -> Any:
            return None if part is None else wrap(kind.asarray(part), kind)

        parts = (
            [tensor(g, self.tensor_type)]
            if self.outputs is None
            else [tensor(p, k) for p, k in zip(g, self.tensor_type, strict=True)]
        )
        # Views, since the arrays may be the user's: the engine changes only what has no base.
        return [None if t is None else t._array[...] for t in self._gradients(parts)]

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        """See `Node.vjp_on_tensors`."""
        return self._gradients([g] if self.outputs is None else list(g))

    def _gradients(self, parts: list[Any]) -> list[Any]:
        """What the user's ``backward`` gives for the tensors among the arguments."""
        if self.materialize_grads:
            shapes, kinds = (
                ([self.shape], [self.tensor_type])
                if self.outputs is None
                else (self.shape, self.tensor_type)
            )
            parts = [
                devgrad.zeros(shape, dtype=kind.dtype, device=kind.device)
                if part is None and kind is not None
                else part
                for part, shape, kind in zip(parts, shapes, kinds, strict=True)
            ]
        results = self._forward_cls._backward_function()(self, *parts)
        if not isinstance(results, tuple):
            results = (results,)
        extra = results[self._arguments :]
        if len(results) < self._arguments or any(r is not None for r in extra):
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected "
                f"{self._arguments}, got {len(results)})"
            )
        chosen = [results[i] for i in self._positions]
        for index, (result, edge) in enumerate(zip(chosen, self.edges, strict=True)):
            if result is not None:
                self._check_gradient(index, result, edge)
        return chosen

    def _check_gradient(self, index: int, result: Any, edge: Edge | None) -> None:
        if not isinstance(result, devgrad.Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(result).__name__})")
        if edge is not None:
            try:
                axes_summed(result._array.shape, edge.shape)
            except RuntimeError:
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {index} - got "
                    f"{list(result.shape)} but expected shape compatible with {list(edge.shape)}"
                ) from None


class Function:
    """An operation of one's own, with its derivative.

    Write a subclass with static methods: ``forward(ctx, *args)``, which computes, and
    ``backward(ctx, *grad_outputs)``, which returns a gradient (or None) for each argument. Or
    ``forward(*args)`` with ``setup_context(ctx, inputs, output)``. Call it by ``apply``.

    What ``backward`` does is recorded with ``create_graph=True``, so that second derivatives are
    right if it is made of operations on tensors.

    >>> import devgrad
    >>> class Cube(devgrad.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = devgrad.tensor(2.0, requires_grad=True)
    >>> y = Cube.apply(x)
    >>> y
    tensor(8., grad_fn=<CubeBackward>)
    >>> y.backward()
    >>> x.grad
    tensor(12.)
    """

    _backward_cls: type[BackwardCFunction]
    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so you should invoke them on the class itself. Instantiating an autograd "
            "function will raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Refused: call ``apply``."""
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        name = f"{cls.__name__}Backward"
        cls._backward_cls = type(name, (BackwardCFunction,), {"_forward_cls": cls})

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs: ``forward(ctx, *args)``, or ``forward(*args)`` with
        ``setup_context``."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep for ``backward`` what it needs, where ``forward`` is not given ``ctx``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradients of the arguments, from those of the outputs. (Or call it ``vjp``.)"""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """The tangents of the outputs, from those of the arguments (None where there is none)."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        """The function over a batch: ``(outputs, their batch dimensions)``."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or "
            "set generate_vmap_rule=True."
        )

    @classmethod
    def _backward_function(cls) -> Callable[..., Any]:
        has_backward, has_vjp = (
            cls.backward is not Function.backward,
            cls.vjp is not Function.vjp,
        )
        if has_backward and has_vjp:
            raise RuntimeError(
                "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You "
                "should only implement one of them."
            )
        return cls.vjp if has_vjp else cls.backward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the function, and record it if an argument requires grad.

        Raises:
            NotImplementedError: there is no ``forward``.
            RuntimeError: what was marked dirty is a leaf that requires grad, or was not returned.
        """
        ctx = cls._backward_cls()
        separate = cls.setup_context is not Function.setup_context
        if separate:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, {}
        positions = [i for i, a in enumerate(args) if isinstance(a, devgrad.Tensor)]
        ctx._positions, ctx._arguments = tuple(positions), len(args)
        ctx.edges = tuple([args[i]._own_edge() for i in positions])
        needs = {i for i, edge in zip(positions, ctx.edges, strict=True) if edge is not None}
        ctx.needs_input_grad = tuple([i in needs for i in range(len(args))])
        ctx.saved = ()
        with no_grad():
            if separate:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args, **kwargs)
        single = not isinstance(result, tuple)
        parts = (result,) if single else result
        outputs = ctx._finish(args, parts, single)
        return outputs[0] if single else outputs


class _Once(Node):
    """Refuses to be differentiated."""

    __slots__ = ()

    def name(self) -> str:
        return "DelayedError"

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )

    vjp_on_tensors = vjp


def once_differentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """For a ``backward`` that must not be differentiated itself, as it is not made of operations.

    Differentiating it then raises a RuntimeError, where the result would be wrong in silence.
    """

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any) -> Any:
        with no_grad():
            outputs = fn(ctx, *args)
        recorded = bool(mode.grad) and any(
            isinstance(a, devgrad.Tensor) and a.requires_grad for a in args
        )
        if not recorded:
            return outputs

        def refusing(tensor: Any) -> Any:
            if not isinstance(tensor, devgrad.Tensor):
                return tensor
            node = _Once()
            node.edges = tuple([
                a._own_edge() for a in args if isinstance(a, devgrad.Tensor)
            ])  # fmt: skip
            node.saved, node.rank = (), next_rank()
            node.code, node.lasti = user_line()
            tensor = tensor.detach()
            node.shape, node.tensor_type = tensor._array.shape, tensor._type
            tensor._edge = node
            return tensor

        if not isinstance(outputs, tuple):
            return refusing(outputs)
        return tuple([refusing(tensor) for tensor in outputs])

    return wrapper
