"""``backward`` and ``grad``: from what the user asks to what the engine is told."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from ..device import device_error, user_stacklevel
from ._engine import Arithmetic, leads_to, run
from ._fit import fit_array
from ._graph import Edge
from ._modes import mode

__all__ = ["arithmetic", "backward", "grad", "operations"]

# The two interpretations of a rule. The layer of operations fills in the second.
arithmetic: dict[str, Arithmetic] = {}


def install(wrap: Any, fit_tensor: Any) -> None:
    """Called by the layers above: how to make a tensor of an array, and how to fit a tensor."""
    arithmetic["arrays"] = Arithmetic(False, fit_array, wrap, lambda tensor: tensor._array.view())
    arithmetic["tensors"] = Arithmetic(True, fit_tensor, lambda t, kind: t, lambda t: t)


def _sequence(x: Any) -> Sequence[Any]:
    return x if isinstance(x, (tuple, list)) else (x,)


def _check_tensors(function: str, values: Sequence[Any], what: str) -> None:
    for value in values:
        if value is None and what == "gradients" or hasattr(value, "_edge"):
            continue
        if what == "inputs":
            raise RuntimeError(
                f"all inputs have to be Tensors or GradientEdges, but got {type(value).__name__}"
            )
        raise TypeError(f"{function}(): {what} must be Tensors, not {type(value).__name__}")


def _one(output: Any) -> Any:
    """An array of ones like ``output``, which has one element. (`ones` is slow for so little.)"""
    kind = output._type
    one = kind.constants.get("one")
    if one is None:
        one = kind.constants["one"] = kind.xp.ones((), kind.array_dtype)
    return (one.reshape(output._array.shape) if output._array.ndim else one).copy()


def _root_gradients(
    outputs: Sequence[Any], gradients: Sequence[Any], on_tensors: bool
) -> list[tuple[Edge, Any]]:
    if len(gradients) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(gradients)} gradients")
    roots: list[tuple[Edge, Any]] = []
    for index, (output, gradient) in enumerate(zip(outputs, gradients, strict=True)):
        edge = output._own_edge()
        if edge is None:
            raise RuntimeError(
                f"element {index} of tensors does not require grad and does not have a grad_fn. "
                f"{_why_not(output)}"
            )
        kind = output._type
        if gradient is None:
            if output._array.size != 1:
                raise RuntimeError(
                    "grad can be implicitly created only for scalar outputs: this one has shape "
                    f"{list(output.shape)}. Reduce it, loss.sum() or loss.mean(), or pass the "
                    "gradient: y.backward(torch.ones_like(y))"
                )
            if not kind.dtype.is_floating_point:
                raise RuntimeError(
                    "grad can be implicitly created only for real scalar outputs but got "
                    f"{kind.dtype}"
                )
            one = _one(output)
            roots.append((edge, arithmetic["arrays"].wrap(one, kind) if on_tensors else one))
            continue
        if gradient._array.shape != output._array.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{index}] has a shape of {gradient.shape} and "
                f"output[{index}] has a shape of {output.shape}."
            )
        if gradient.is_complex() != output.is_complex():
            raise RuntimeError(
                f"For complex Tensors, both grad_output and output are required to have the same "
                f"dtype. Mismatch in dtype: grad_output[{index}] has a dtype of {gradient.dtype} "
                f"and output[{index}] has a dtype of {output.dtype}."
            )
        # A view: the array is the caller's, and the engine only changes what has no base.
        roots.append((edge, gradient if on_tensors else gradient._array.view()))
    return roots


def _why_not(output: Any) -> str:
    """Why a root does not require grad, and what to do."""
    if output._cut is None:
        return (
            "Nothing that it was computed from requires grad. Make the tensors that you want "
            "gradients of with requires_grad=True, before computing; setting it on the result "
            "trains nothing"
        )
    advice = {
        "mode": "Compute it outside of that block",
        "detach": "Leave that away, or detach only what is not to be trained",
        "no derivative": "Use an operation that has one: a softmax for an argmax, a sigmoid for a "
        "comparison, floating-point numbers for integers",
    }
    return (
        f"The way to what requires grad was lost: {output._cut}. {advice[output._cut.reason]}; "
        "setting requires_grad on the result trains nothing"
    )


def _input_edges(inputs: Sequence[Any]) -> list[Edge]:
    edges = []
    for x in inputs:
        edge = x._own_edge()
        if edge is None:
            raise RuntimeError(
                "One of the differentiated Tensors does not require grad. Make it with "
                "requires_grad=True, or call x.requires_grad_() before computing with it"
            )
        edges.append(edge)
    return edges


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the derivative of ``tensors`` to the ``.grad`` of the leaves that they depend on.

    See `Tensor.backward`; here are several roots, each with its gradient.

    >>> import devgrad
    >>> x = devgrad.tensor(3.0, requires_grad=True)
    >>> devgrad.autograd.backward([x * x, 2 * x])
    >>> x.grad
    tensor(8.)

    Raises:
        RuntimeError: as `Tensor.backward`.
    """
    if grad_tensors is None and inputs is None and not create_graph and hasattr(tensors, "_edge"):
        # loss.backward(), the commonest call: one root, of one element.
        edge, kind = tensors._own_edge(), tensors._type
        if edge is not None and tensors._array.size == 1 and kind.dtype.is_floating_point:
            before, mode.grad = mode.grad, False
            try:
                run(((edge, _one(tensors)),), arithmetic["arrays"], keep=bool(retain_graph))
            except MemoryError as error:
                raise device_error(error) from None
            finally:
                mode.grad = before
            return
    outputs = _sequence(tensors)
    gradients = grad_tensors if grad_tensors is not None else grad_variables
    if inputs is not None:
        inputs = _sequence(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        found = grad(outputs, inputs, gradients, retain_graph, create_graph, allow_unused=True)
        for x, g in zip(inputs, found, strict=True):
            if g is not None:
                x._accumulate(g if create_graph else g._array, False)
        return
    gradients = [None] * len(outputs) if gradients is None else _sequence(gradients)
    _check_tensors("backward", outputs, "tensors")
    _check_tensors("backward", gradients, "gradients")
    on_tensors = bool(create_graph)
    roots = _root_gradients(outputs, gradients, on_tensors)
    if create_graph:
        warnings.warn(_CREATE_GRAPH, UserWarning, stacklevel=user_stacklevel())
    keep = create_graph if retain_graph is None else retain_graph
    _run(roots, on_tensors, keep)


def _run(roots: Any, on_tensors: bool, keep: bool, **options: Any) -> None:
    """Run the engine, in grad mode just if it is to record."""
    before = mode.grad
    mode.grad = on_tensors and mode.recorder
    try:
        run(roots, arithmetic["tensors" if on_tensors else "arrays"], keep=keep, **options)
    except MemoryError as error:
        raise device_error(error) from None
    finally:
        mode.grad = before


_CREATE_GRAPH = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter "
    "and its gradient which can cause a memory leak. We recommend using autograd.grad when "
    "creating the graph to avoid this. If you have to use this function, make sure to reset the "
    ".grad fields of your parameters to None after use to break the cycle and avoid the leak."
)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The derivative of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    Only the paths of the graph that lead to ``inputs`` are walked.

    Args:
        outputs, inputs: a tensor, or a sequence of them. Inputs may be non-leaves.
        grad_outputs: what the derivatives are multiplied with; may be left out for scalars.
        retain_graph: keep the saved tensors. Default: as ``create_graph``.
        create_graph: record the computation, for derivatives of it.
        allow_unused: give None for inputs that the outputs do not depend on.
        materialize_grads: give zeros for them.
        is_grads_batched: ``grad_outputs`` have a further first dimension, and so has the result:
            one derivative for each element of it.

    Raises:
        RuntimeError: an input does not require grad, or was not used; otherwise as backward().

    >>> import devgrad
    >>> x = devgrad.tensor(2.0, requires_grad=True)
    >>> (slope,) = devgrad.autograd.grad(x**3, x, create_graph=True)
    >>> devgrad.autograd.grad(slope, x)
    (tensor(12.),)
    """
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    if is_grads_batched:
        return _grad_of_rows(
            outputs, inputs, _sequence(grad_outputs),
            (True, create_graph, only_inputs, allow_unused, False, materialize_grads),
        )  # fmt: skip
    if allow_unused is False and materialize_grads:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    if not inputs:
        raise ValueError("grad requires non-empty inputs.")
    gradients = [None] * len(outputs) if grad_outputs is None else _sequence(grad_outputs)
    _check_tensors("grad", outputs, "outputs")
    _check_tensors("grad", inputs, "inputs")
    _check_tensors("grad", gradients, "gradients")
    on_tensors = bool(create_graph)
    roots = _root_gradients(outputs, gradients, on_tensors)
    edges = _input_edges(inputs)
    targets = {edge.rank for edge in edges}
    on_path = leads_to([edge for edge, _ in roots], targets)
    capture: dict[tuple[int, int], Any] = {(e.rank, e.index): None for e in edges}
    # A captured node runs on only if the way to another input leads through it.
    runs = {rank for rank in on_path if rank not in targets or _leads_on(rank, on_path, edges)}
    ways = arithmetic["tensors" if on_tensors else "arrays"]
    keep = create_graph if retain_graph is None else retain_graph
    _run(roots, on_tensors, keep, only=on_path, runs=runs, capture=capture)
    results: list[Any] = []
    for index, (x, edge) in enumerate(zip(inputs, edges, strict=True)):
        g = capture[edge.rank, edge.index]
        if g is None and not materialize_grads:
            if not allow_unused:
                raise RuntimeError(
                    f"The differentiated Tensor at index {index} appears to not have been used in "
                    "the graph. Set allow_unused=True if this is the desired behavior."
                )
            results.append(None)
        elif g is None:
            results.append(_zero(x))
        else:
            results.append(g if on_tensors else ways.wrap(x._type.asarray(g), x._type))
    return tuple(results)


def _grad_of_rows(
    outputs: Sequence[Any], inputs: Sequence[Any], grad_outputs: Sequence[Any], options: Any
) -> tuple[Any, ...]:
    """`grad` for each element of the gradients' first dimension, stacked."""
    rows = [
        grad(outputs, inputs, row, *options)
        for row in zip(*[g.unbind(0) for g in grad_outputs], strict=True)
    ]
    stack = operations["stack"]
    return tuple([None if x[0] is None else stack(list(x)) for x in zip(*rows, strict=True)])


# Operations that are needed here, filled in by the layer of operations.
operations: dict[str, Any] = {}


def _zero(x: Any) -> Any:
    """A gradient of zero for ``x``."""
    kind = x._type
    return arithmetic["arrays"].wrap(kind.xp.zeros(x._array.shape, kind.array_dtype), kind)


def _leads_on(rank: int, on_path: set[int], edges: Sequence[Edge]) -> bool:
    node = next(e.node for e in edges if e.rank == rank)
    return any(e is not None and e.rank in on_path for e in node.edges)
