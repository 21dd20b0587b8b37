"""Jacobians, Hessians, and their products with vectors: PyTorch's ``torch.autograd.functional``.

Everything is made of `grad`. A vector-Jacobian product is one backward pass. A Jacobian-vector
product is two: the pass from a cotangent v to vᵀJ is linear in v, so *its* derivative, taken
backwards, is J. (This is the double-backward trick; the value of v does not matter.) A Hessian is
the Jacobian of a Jacobian.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import devgrad as _devgrad

from ._api import grad
from ._modes import enable_grad, is_grad_enabled, set_grad_enabled

__all__ = ["vjp", "jvp", "jacobian", "hessian", "hvp", "vhp"]

Tensors = tuple[Any, ...]

# Tensors and operations stand above this layer: their names are looked up when they are needed.
devgrad: Any = _devgrad


def _as_tuple(value: Any, name: str, function: str) -> tuple[bool, Tensors]:
    """Whether ``value`` is a tuple, and it as a tuple.

    Raises:
        TypeError: it is neither a tensor nor a tuple of tensors.
    """
    is_tuple = isinstance(value, tuple)
    values = value if is_tuple else (value,)
    for i, x in enumerate(values):
        if not hasattr(x, "_edge"):
            what = f"the value at index {i}" if is_tuple else f"the given {name}"
            raise TypeError(
                f"The {name} given to {function} must be either a Tensor or a tuple of Tensors but"
                f" {what} has type {type(x)}."
            )
    return is_tuple, values


def _restored(values: Any, *are_tuples: bool) -> Any:
    """Undo `_as_tuple`, on a tuple or on a tuple of tuples."""
    outer, *inner = are_tuples
    if inner and not inner[0]:
        values = tuple(row[0] for row in values)
    return values if outer else values[0]


def _fresh(values: Tensors, create_graph: bool, requires_grad: bool) -> Tensors:
    """New tensors with these values, so that a function which also captures one of them is not
    taken to depend on it through its argument."""
    return tuple(
        x.view_as(x)
        if create_graph and x.requires_grad
        else x.detach().requires_grad_(requires_grad)
        for x in values
    )


def _results(values: Any, create_graph: bool) -> Any:
    if create_graph:
        return values
    return tuple(_results(x, False) if isinstance(x, tuple) else x.detach() for x in values)


def _vector(
    v: Any, like: Tensors, of_tuple: bool, create_graph: bool, function: str, owner: str
) -> Tensors | None:
    """The vector of a product, checked against the tensors that it belongs to.

    Raises:
        RuntimeError: it does not fit them, or is left out where that is not allowed.
    """
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"The vector v can only be None if the {owner} with a single element."
            )
        return None
    values = _fresh(_as_tuple(v, "v", function)[1], create_graph, False)
    if len(values) != len(like):
        if of_tuple:
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(values)}."
            )
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (x, y) in enumerate(zip(values, like)):
        if x.shape != y.shape:
            entry = f"Entry {i} in " if of_tuple else ""
            raise RuntimeError(f"{entry}v has invalid size: should be {y.shape} but got {x.shape}.")
    return values


def _one_element(outputs: Tensors, is_tuple: bool, function: str) -> None:
    if is_tuple:
        raise RuntimeError(f"The function given to {function} should return a single Tensor")
    if outputs[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {function} should contain a single "
            f"element. It has shape {list(outputs[0].shape)}"
        )


_INDEPENDENT = {
    "outputs": "Output {i} of the user-provided function does not require gradients. The outputs "
    "must be computed in a differentiable manner from the input when running in strict mode.",
    "grad_inputs": "The gradient with respect to input {i} is independent of the inputs of the "
    "user-provided function. This is not allowed in strict mode.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided "
    "function with respect to input {i} is independent of the input. This is not allowed in "
    "strict mode. You should ensure that your function is twice differentiable and that the "
    "jacobian depends on the inputs (this would be violated by a linear function for example).",
    "hessian": "The hessian of the user-provided function with respect to input {i} is "
    "independent of the input. This is not allowed in strict mode. You should ensure that your "
    "function is thrice differentiable and that the hessian depends on the inputs.",
}
_MISSING = {
    "back": "The output of the user-provided function is independent of input {i}. This is not "
    "allowed in strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {i} in the "
    "grad_outputs when using the double backward trick to compute forward mode gradients. This is "
    "not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {i}. This "
    "is not allowed in strict mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {i} "
    "in the grad_jacobian. This is not allowed in strict mode as it prevents from using the "
    "double backward trick to replace forward mode AD.",
}


def _require(values: Sequence[Any], what: str, strict: bool) -> None:
    """In strict mode: refuse what does not depend on the inputs."""
    for i, x in enumerate(values) if strict else ():
        if x is None:
            raise RuntimeError(_MISSING["back"].format(i=i))
        if not x.requires_grad:
            raise RuntimeError(_INDEPENDENT[what].format(i=i))


def _grad(outputs: Sequence[Any], inputs: Tensors, v: Any = None, **options: Any) -> Tensors:
    """`grad`, with None for outputs that are None or do not require grad."""
    v = (None,) * len(outputs) if v is None else v
    kept = [(y, w) for y, w in zip(outputs, v) if y is not None and y.requires_grad]
    if not kept:
        return (None,) * len(inputs)
    return grad([y for y, _ in kept], inputs, [w for _, w in kept], allow_unused=True, **options)


def _filled(grads: Tensors, like: Tensors, strict: bool, create_graph: bool, stage: str) -> Tensors:
    """Zeros for the gradients that are None; in strict mode a refusal of them."""
    filled = []
    for i, (g, x) in enumerate(zip(grads, like)):
        if strict and g is None:
            raise RuntimeError(_MISSING[stage].format(i=i))
        if strict and create_graph and not g.requires_grad:
            what = "hessian" if "double" in stage else "jacobian"
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {i}. This is "
                "not allowed in strict mode when create_graph=True."
            )
        filled.append(devgrad.zeros_like(x) if g is None else g)
    return tuple(filled)


def _graph_mode(create_graph: bool) -> Any:
    return set_grad_enabled(create_graph or is_grad_enabled())


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """``func(*inputs)``, and the product of ``v`` with the Jacobian of ``func`` there.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors: where.
        v: of the outputs' shape; may be left out where that is one single element.
        create_graph: whether both results can be differentiated again.
        strict: refuse, instead of giving zeros, where an output does not depend on an input.

    Returns:
        The outputs, and a tensor of the shape of each input.

    Raises:
        RuntimeError: ``v`` does not fit; something is independent of the inputs (``strict``).
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.autograd.functional.vjp(lambda x: x * x, x, devgrad.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "vjp")
        inputs = _fresh(inputs, create_graph, True)
        out_tuple, outputs = _as_tuple(
            func(*inputs), "outputs of the user-provided function", "vjp"
        )
        _require(outputs, "outputs", strict)
        owner = "user-provided function returns a single Tensor"
        v = _vector(v, outputs, out_tuple, create_graph, "vjp", owner)
    with _graph_mode(create_graph):
        grads = _grad(outputs, inputs, v, create_graph=create_graph)
        product = _filled(grads, inputs, strict, create_graph, "back")
    return (
        _restored(_results(outputs, create_graph), out_tuple),
        _restored(_results(product, create_graph), is_tuple),
    )


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """``func(*inputs)``, and the product of the Jacobian of ``func`` there with ``v``.

    The arguments are `vjp`'s, except that ``v`` is of the inputs' shape and the product of the
    outputs'. It takes two backward passes: see the module's text.

    Raises:
        RuntimeError: ``v`` does not fit; something is independent of the inputs (``strict``).
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.autograd.functional.jvp(lambda x: (x * x).sum(), x, devgrad.tensor([1.0, 0.0]))
    (tensor(5.), tensor(2.))
    """
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "jvp")
        inputs = _fresh(inputs, create_graph, True)
        owner = "input to the user-provided function is a single Tensor"
        v = _vector(v, inputs, is_tuple, create_graph, "jvp", owner)
        out_tuple, outputs = _as_tuple(
            func(*inputs), "outputs of the user-provided function", "jvp"
        )
        _require(outputs, "outputs", strict)
        cotangents = tuple(devgrad.zeros_like(y).requires_grad_() for y in outputs)
        grads = _grad(outputs, inputs, cotangents, create_graph=True)
        _require(grads, "grad_inputs", strict)
    with _graph_mode(create_graph):
        second = _grad(grads, cotangents, v, create_graph=create_graph)
        product = _filled(second, outputs, strict, create_graph, "back_trick")
    return (
        _restored(_results(outputs, create_graph), out_tuple),
        _restored(_results(product, create_graph), out_tuple),
    )


def _basis(x: Any) -> Any:
    """Each tensor of the shape of ``x`` that is one in one place and zero elsewhere."""
    for j in range(x.numel()):
        one = devgrad.zeros_like(x, requires_grad=False).reshape(-1)
        one[j] = 1
        yield one.reshape(x.shape)


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The derivative of each element of the outputs by each element of the inputs.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of tensors: where.
        create_graph: whether the result can be differentiated again.
        strict: refuse, instead of giving zeros, where an output does not depend on an input.
        vectorize: accepted as in PyTorch. Rows are computed one after the other all the same.
        strategy: ``"reverse-mode"``, a backward pass for each element of the outputs, or
            ``"forward-mode"`` (with ``vectorize=True``), one for each element of the inputs.

    Returns:
        A tensor of shape ``output.shape + input.shape``; a tuple of them where the outputs or the
        inputs are a tuple; where both are, ``jacobian[i][j]`` is of output i by input j.

    Raises:
        RuntimeError: an output is independent of an input (``strict``).
        NotImplementedError: options that PyTorch does not combine either.
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.autograd.functional.jacobian(lambda x: x * x, x)
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        return _jacobian_by_columns(func, inputs, create_graph, strict, vectorize)
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "jacobian")
        inputs = _fresh(inputs, create_graph, True)
        out_tuple, outputs = _as_tuple(
            func(*inputs), "outputs of the user-provided function", "jacobian"
        )
        _require(outputs, "outputs", strict)
        if vectorize and strict:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
                "supported together. Please either set `strict=False` or `vectorize=False`."
            )
        for y in outputs if not vectorize else ():
            if y.is_complex() and y.requires_grad:
                raise RuntimeError(
                    "grad can be implicitly created only for real scalar outputs but got "
                    f"{y.dtype}. Take the Jacobians of its real and its imaginary part"
                )
        found = tuple(_rows(i, y, inputs, create_graph, strict) for i, y in enumerate(outputs))
    return _restored(_results(found, create_graph), out_tuple, is_tuple)


def _rows(number: int, output: Any, inputs: Tensors, create_graph: bool, strict: bool) -> Tensors:
    """The derivatives of one output by each input."""
    rows = []
    for one in _basis(output):
        grads = _grad((output,), inputs, (one,), retain_graph=True, create_graph=create_graph)
        for i, g in enumerate(grads):
            if strict and g is None:
                raise RuntimeError(
                    f"Output {number} of the user-provided function is independent of input {i}. "
                    "This is not allowed in strict mode."
                )
            if strict and create_graph and not g.requires_grad:
                raise RuntimeError(
                    "The jacobian of the user-provided function is independent of input "
                    f"{number}. This is not allowed in strict mode when create_graph=True."
                )
        rows.append(_filled(grads, inputs, False, False, "back"))
    return tuple(
        devgrad.stack(row).reshape(output.shape + x.shape) for row, x in zip(zip(*rows), inputs)
    )


def _jacobian_by_columns(
    func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool, vectorize: bool
) -> Any:
    if create_graph:
        raise NotImplementedError(
            "torch.autograd.functional.jacobian: `create_graph=True` and "
            '`strategy="forward-mode"` are not supported together (yet). Please either set '
            '`create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are '
            "not supported together (yet). Please either set `strict=False` or "
            '`strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is"
            "only implemented for `vectorize=True`."
        )
    with enable_grad():
        is_tuple, inputs = _as_tuple(inputs, "inputs", "jacobian")
        inputs = _fresh(inputs, False, True)
        out_tuple, outputs = _as_tuple(func(*inputs), "outputs", "jacobian")
        cotangents = tuple(devgrad.zeros_like(y).requires_grad_() for y in outputs)
        grads = _grad(outputs, inputs, cotangents, create_graph=True)
    columns = []  # for each input, for each output: its derivative by all of the input
    for x, g in zip(inputs, grads):
        found = [
            _filled(_grad((g,), cotangents, (one,), retain_graph=True), outputs, False, False, "")
            for one in _basis(x)
        ]
        columns.append(
            [
                devgrad.stack(column, -1).reshape(y.shape + x.shape)
                for column, y in zip(zip(*found), outputs)
            ]
        )
    return _restored(_results(tuple(zip(*columns)), False), out_tuple, is_tuple)


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """The second derivatives of a function of one single element.

    The arguments are `jacobian`'s; ``outer_jacobian_strategy`` is its ``strategy`` for the second
    of the two derivatives.

    Returns:
        A tensor of shape ``input.shape + input.shape``; for a tuple of inputs a tuple of tuples,
        ``hessian[i][j]`` by inputs i and j.

    Raises:
        RuntimeError: ``func`` returns more than one element, or is independent (``strict``).
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.autograd.functional.hessian(lambda x: x[0] * x[0] * x[1], x)
    tensor([[4., 2.],
            [2., 0.]])
    """
    is_tuple, inputs = _as_tuple(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def scalar(*point: Any) -> Any:
        output = func(*point)
        out_tuple, outputs = _as_tuple(output, "outputs of the user-provided function", "hessian")
        _require(outputs, "outputs", strict)
        _one_element(outputs, out_tuple, "hessian")
        return output.squeeze()

    def slope(*point: Any) -> Any:
        found = jacobian(scalar, point, create_graph=True)
        _require(found, "jacobian", strict)
        return found

    found = jacobian(
        slope, inputs, create_graph=create_graph, strict=strict, vectorize=vectorize,
        strategy=outer_jacobian_strategy,
    )  # fmt: skip
    return _restored(found, is_tuple, is_tuple)


def _at_scalar(
    function: str, func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple[bool, Tensors, Tensors | None, Tensors, Tensors]:
    """What `vhp` and `hvp` begin with: inputs, vector, output and the recorded gradient."""
    is_tuple, inputs = _as_tuple(inputs, "inputs", function)
    inputs = _fresh(inputs, create_graph, True)
    owner = "input to the user-provided function is a single Tensor"
    v = _vector(v, inputs, is_tuple, create_graph, function, owner)
    out_tuple, outputs = _as_tuple(func(*inputs), "outputs of the user-provided function", function)
    _require(outputs, "outputs", strict)
    _one_element(outputs, out_tuple, function)
    slope = _grad(outputs, inputs, create_graph=True)
    _require(slope, "jacobian", strict)
    return is_tuple, inputs, v, outputs, slope


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """``func(*inputs)``, one single element, and the product of ``v`` with its Hessian there.

    The arguments are `jvp`'s. The Hessian is symmetric, so this is `hvp`, at a lower price.

    Raises:
        RuntimeError: ``func`` returns more than one element; ``v`` does not fit; something is
            independent of the inputs (``strict``).
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.autograd.functional.vhp(lambda x: (x * x * x).sum(), x, devgrad.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        is_tuple, inputs, v, outputs, slope = _at_scalar(
            "vhp", func, inputs, v, create_graph, strict
        )
    with _graph_mode(create_graph):
        second = _grad(slope, inputs, v, create_graph=create_graph)
        product = _filled(second, inputs, strict, create_graph, "double_back")
    return (
        _results(outputs, create_graph)[0],
        _restored(_results(product, create_graph), is_tuple),
    )


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """``func(*inputs)``, one single element, and the product of its Hessian there with ``v``.

    The arguments are `jvp`'s. It takes a backward pass more than `vhp`, whose result is the same
    where the second derivatives are continuous.

    Raises:
        RuntimeError: ``func`` returns more than one element; ``v`` does not fit; something is
            independent of the inputs (``strict``).
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0])
    >>> devgrad.autograd.functional.hvp(lambda x: (x * x * x).sum(), x, devgrad.ones(2))
    (tensor(9.), tensor([ 6., 12.]))
    """
    with enable_grad():
        is_tuple, inputs, v, outputs, slope = _at_scalar(
            "hvp", func, inputs, v, create_graph, strict
        )
        cotangents = tuple(devgrad.zeros_like(x).requires_grad_() for x in inputs)
        twice = _grad(slope, inputs, cotangents, create_graph=True)
        _require(slope, "hessian", strict)
    with _graph_mode(create_graph):
        second = _grad(twice, cotangents, v, create_graph=create_graph)
        product = _filled(second, inputs, strict, create_graph, "double_back_trick")
    return (
        _results(outputs, create_graph)[0],
        _restored(_results(product, create_graph), is_tuple),
    )
