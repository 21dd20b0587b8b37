"""Hooks: functions that are called around a module's forward and backward pass."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from ..._tensor import Tensor, View
from ...autograd._graph import Edge, Node, OutputEdge, next_rank
from ...autograd._hooks import Hooks, RemovableHandle, add_hook
from ...autograd._modes import mode
from ...autograd._provenance import user_line
from ...device import user_stacklevel

__all__ = [
    "EVERY_MODULE", "BackwardHooks", "ModuleHooks", "register_module_backward_hook",
    "register_module_buffer_registration_hook", "register_module_forward_hook",
    "register_module_forward_pre_hook", "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook", "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]  # fmt: skip


class _EveryModule:
    """The hooks that are called for every module."""

    def __init__(self) -> None:
        self.forward_pre: Hooks = OrderedDict()
        self.forward: Hooks = OrderedDict()
        self.with_kwargs: OrderedDict[int, bool] = OrderedDict()
        self.always_called: OrderedDict[int, bool] = OrderedDict()
        self.backward_pre: Hooks = OrderedDict()
        self.backward: Hooks = OrderedDict()
        self.parameter_registration: Hooks = OrderedDict()
        self.buffer_registration: Hooks = OrderedDict()
        self.module_registration: Hooks = OrderedDict()
        self.any = False  # whether there were ever hooks to call: all that a plain call asks


EVERY_MODULE = _EveryModule()


class ModuleHooks:
    """The part of `Module` that registers hooks, and calls a module that has some."""

    _forward_hooks: Hooks
    _forward_hooks_with_kwargs: dict[int, bool]
    _forward_hooks_always_called: dict[int, bool]
    _forward_pre_hooks: Hooks
    _forward_pre_hooks_with_kwargs: dict[int, bool]
    _backward_hooks: Hooks
    _backward_pre_hooks: Hooks
    _is_full_backward_hook: bool | None
    forward: Callable[..., Any]

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each forward; what it returns replaces ``args``.

        Args:
            hook: with ``with_kwargs`` it is called ``hook(module, args, kwargs)``, and may return
                a pair of new ones.
            prepend: call it before the hooks that are there already.

        >>> import devgrad
        >>> layer = devgrad.nn.Identity()
        >>> handle = layer.register_forward_pre_hook(lambda module, args: args[0] * 2)
        >>> layer(devgrad.ones(1))
        tensor([2.])
        """
        return add_hook(
            self._forward_pre_hooks, hook, prepend=prepend,
            notes=[(self._forward_pre_hooks_with_kwargs, with_kwargs)],
        )  # fmt: skip

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:  # fmt: skip
        """Call ``hook(module, args, output)`` after each forward; what it returns replaces it.

        Args:
            hook: with ``with_kwargs`` it is called ``hook(module, args, kwargs, output)``.
            prepend: call it before the hooks that are there already.
            always_call: call it even if the forward raised an error.
        """
        return add_hook(
            self._forward_hooks, hook, prepend=prepend,
            notes=[(self._forward_hooks_with_kwargs, with_kwargs),
                   (self._forward_hooks_always_called, always_call)],
        )  # fmt: skip

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are known.

        What it returns, a tuple, replaces them.
        """
        return add_hook(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the inputs' gradients are known.

        What it returns, a tuple, replaces ``grad_input``. Gradients of arguments that are no
        tensors, or need none, are None.

        Raises:
            RuntimeError: there are hooks of `register_backward_hook`.

        >>> import devgrad
        >>> layer = devgrad.nn.Identity()
        >>> handle = layer.register_full_backward_hook(lambda m, inputs, outputs: (inputs[0] * 2,))
        >>> x = devgrad.ones(1, requires_grad=True)
        >>> layer(x).backward()
        >>> x.grad
        tensor([2.])
        """
        self._use_full_backward_hooks(True)
        return add_hook(self._backward_hooks, hook, prepend=prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` of the module's *last operation*.

        Kept for old code; `register_full_backward_hook` speaks of the whole module.
        """
        self._use_full_backward_hooks(False)
        return add_hook(self._backward_hooks, hook)

    def _use_full_backward_hooks(self, full: bool) -> None:
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self._is_full_backward_hook = full

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        called: set[int] = set()
        result: Any = None
        hooks = [*EVERY_MODULE.forward.items(), *self._forward_hooks.items()]
        try:
            args, kwargs = self._run_forward_pre_hooks(args, kwargs)
            backward = None
            full = self._is_full_backward_hook is not False
            own = list(self._backward_hooks.values())
            on_inputs = [*EVERY_MODULE.backward.values(), *(own if full else [])]
            on_outputs = [*EVERY_MODULE.backward_pre.values(), *self._backward_pre_hooks.values()]
            if on_inputs or on_outputs:
                backward = BackwardHooks(self, on_inputs, on_outputs)
                args = backward.watch_inputs(args)
            result = self.forward(*args, **kwargs)
            for number, hook in hooks:
                called.add(number)
                answer = self._call_forward_hook(number, hook, args, kwargs, result)
                result = result if answer is None else answer
            if backward is not None:
                result = backward.watch_outputs(result)
            if own and not full:
                self._hook_last_node(own, result)
            return result
        except Exception:
            always = EVERY_MODULE.always_called.keys() | self._forward_hooks_always_called.keys()
            for number, hook in hooks:
                if number in always - called:
                    self._call_after_error(number, hook, args, kwargs, result)
            raise

    def _run_forward_pre_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        hooks = [*EVERY_MODULE.forward_pre.items(), *self._forward_pre_hooks.items()]
        for number, hook in hooks:
            if number in self._forward_pre_hooks_with_kwargs:
                answer = hook(self, args, kwargs)
                if answer is None:
                    continue
                if not isinstance(answer, tuple) or len(answer) != 2:
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {answer}."
                    )
                args, kwargs = answer
            else:
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        return args, kwargs

    def _call_forward_hook(
        self, number: int, hook: Any, args: Any, kwargs: Any, result: Any
    ) -> Any:
        if number in self._forward_hooks_with_kwargs or number in EVERY_MODULE.with_kwargs:
            return hook(self, args, kwargs, result)
        return hook(self, args, result)

    def _call_after_error(
        self, number: int, hook: Any, args: Any, kwargs: Any, result: Any
    ) -> None:
        try:
            self._call_forward_hook(number, hook, args, kwargs, result)
        except Exception as error:
            everywhere = "global " if number in EVERY_MODULE.forward else ""
            warnings.warn(
                f"{everywhere}module forward hook with ``always_call=True`` raised an exception "
                f"that was silenced as another error was raised in forward: {error}",
                stacklevel=user_stacklevel(),
            )

    def _hook_last_node(self, hooks: Sequence[Any], result: Any) -> None:
        while not isinstance(result, Tensor):
            parts = result.values() if isinstance(result, dict) else result
            result = next(part for part in parts if not isinstance(part, (int, float, str)))
        node: Any = result.grad_fn
        if node is not None:
            for hook in hooks:
                node.register_hook(functools.partial(hook, self))


class BackwardHookFunctionBackward(Node):
    """Hands all gradients on as they are: where the hooks of a module are attached.

    It has as many outputs as inputs, so that the gradients of all arguments come by together.
    """

    __slots__ = ()

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        # Views: the arrays belong to whoever sent them.
        return [None if part is None else part[...] for part in g]

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return list(g)


def _through_gate(values: Sequence[Any]) -> tuple[list[Any], list[int], Any]:
    """The values, with a gate in the graph behind all tensors among them that require grad.

    Returns:
        The values; the positions of tensors; the gate, None if nothing is recorded.
    """
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    edges = tuple([values[i]._own_edge() for i in places])
    if not mode.grad or all(edge is None for edge in edges):
        return list(values), places, None
    gate: Any = BackwardHookFunctionBackward()
    gate.edges, gate.saved, gate.rank, gate.outputs = edges, (), next_rank(), len(places)
    gate.shape = tuple([values[i]._array.shape for i in places])
    gate.tensor_type = tuple([values[i]._type for i in places])
    gate.code, gate.lasti = user_line()
    passed = list(values)
    for number, place in enumerate(places):
        if edges[number] is not None:
            passed[place] = _alias(values[place], OutputEdge(gate, number))
    return passed, places, gate


def _alias(tensor: Tensor, edge: Edge) -> Tensor:
    """The same memory with another edge. As a view of several outputs, it may not be changed in
    place: the change would pass by the hooks."""
    alias = tensor.detach()
    alias._view = View(tensor, (lambda xp, array: (array,), (), 0))
    alias._edge = edge
    return alias


class BackwardHooks:
    """One call of a module whose backward hooks are to be called.

    A gate behind the arguments and one behind the results see the gradients come by, those of the
    results first.
    """

    def __init__(self, module: Any, on_inputs: Sequence[Any], on_outputs: Sequence[Any]) -> None:
        self.module = module
        self.on_inputs = on_inputs
        self.on_outputs = on_outputs
        self.grad_outputs: tuple[Any, ...] | None = None
        self.inputs_watched = False

    def watch_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments, to be passed to the forward."""
        self.n_inputs = len(args)
        passed, self.input_places, gate = _through_gate(args)
        if gate is None:
            return args
        self.inputs_watched = True
        gate.register_hook(self._inputs_known)
        return tuple(passed)

    def watch_outputs(self, result: Any) -> Any:
        """The results of the forward, to be passed to the caller."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=user_stacklevel(),
            )
        values = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(values)
        passed, self.output_places, gate = _through_gate(values)
        if gate is None:
            return result
        gate.register_hook(self._outputs_known)
        if not isinstance(result, tuple):
            return passed[0]
        return type(result)(*passed) if hasattr(result, "_fields") else tuple(passed)

    def _outputs_known(self, _: Any, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        outputs = _spread(self.output_places, gradients, self.n_outputs)
        for hook in self.on_outputs:
            answer = hook(self.module, outputs)
            if answer is not None:
                answer = answer if isinstance(answer, tuple) else (answer,)
                _check_count("pre hook", "output", answer, outputs)
                outputs = answer
        self.grad_outputs = outputs
        if not self.inputs_watched:
            self._without_inputs(outputs)
        return tuple([outputs[place] for place in self.output_places])

    def _without_inputs(self, outputs: tuple[Any, ...]) -> None:
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients. See https://docs.pytorch.org/docs/main/"
            "generated/torch.nn.Module.html#torch.nn.Module.register_full_backward_hook for more "
            "details.",
            stacklevel=user_stacklevel(),
        )
        for hook in self.on_inputs:
            answer = hook(self.module, (None,) * self.n_inputs, outputs)
            if answer is not None and any(part is not None for part in answer):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None

    def _inputs_known(self, gradients: tuple[Any, ...], _: Any) -> tuple[Any, ...] | None:
        if self.grad_outputs is None:  # the outputs took no part in this backward pass
            return None
        inputs = _spread(self.input_places, gradients, self.n_inputs)
        for hook in self.on_inputs:
            answer = hook(self.module, inputs, self.grad_outputs)
            if answer is not None:
                answer = answer if isinstance(answer, tuple) else (answer,)
                _check_count("hook", "input", answer, inputs)
                inputs = answer
        self.grad_outputs = None
        return tuple([inputs[place] for place in self.input_places])


def _spread(places: Sequence[int], values: Sequence[Any], size: int) -> tuple[Any, ...]:
    spread: list[Any] = [None] * size
    for place, value in zip(places, values, strict=True):
        spread[place] = value
    return tuple(spread)


def _check_count(kind: str, side: str, answer: Sequence[Any], expected: Sequence[Any]) -> None:
    if len(answer) != len(expected):
        raise RuntimeError(
            f"Backward {kind} returned an invalid number of grad_{side}, got {len(answer)}, but "
            f"expected {len(expected)}"
        )


# --- hooks of every module ------------------------------------------------------------------------


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of any module."""
    EVERY_MODULE.any = True
    return add_hook(EVERY_MODULE.forward_pre, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of any module."""
    EVERY_MODULE.any = True
    notes = [(EVERY_MODULE.with_kwargs, with_kwargs), (EVERY_MODULE.always_called, always_call)]
    return add_hook(EVERY_MODULE.forward, hook, notes=notes)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` in the backward pass of any module."""
    EVERY_MODULE.any = True
    return add_hook(EVERY_MODULE.backward_pre, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` in the backward pass of any module."""
    EVERY_MODULE.any = True
    return add_hook(EVERY_MODULE.backward, hook)


register_module_backward_hook = register_module_full_backward_hook


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, param)`` when a parameter is registered; its answer replaces it."""
    return add_hook(EVERY_MODULE.parameter_registration, hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` when a buffer is registered; its answer replaces it."""
    return add_hook(EVERY_MODULE.buffer_registration, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` when a module is registered in another."""
    return add_hook(EVERY_MODULE.module_registration, hook)
