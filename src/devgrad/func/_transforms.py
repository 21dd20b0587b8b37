"""Gradients, Jacobians and their products as functions of functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import autograd
from .._creation import empty, zeros, zeros_like
from .._tensor import Tensor
from ..autograd._modes import enable_grad
from ..autograd.forward_ad import Level, Sources, needed
from ..ops import FUNCTIONS
from ._tree import flatten, mapped, unflatten

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "linearize", "vjp"]

Argnums = int | tuple[int, ...]
_stack = FUNCTIONS[""]["stack"]


def _sources(tree: Any, name: str) -> tuple[Sources, Any]:
    """The tensors of a tree, to be differentiated by; and the tree without them."""
    leaves, shape = flatten(tree)
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise ValueError(
                f"{name}: Expected all inputs that are differentiated to be Tensors, got "
                f"{type(leaf).__name__}"
            )
    return Sources(leaves), shape


def _released(tree: Any) -> Any:
    """Results without the seeming need of a gradient that being differentiated gave them."""

    def release(x: Any) -> Any:
        return x if not isinstance(x, Tensor) or needed(x) else x.detach()

    return mapped(release, tree)


def _zero_for_none(grads: tuple[Any, ...], watched: list[Tensor]) -> list[Tensor]:
    return [zeros_like(t).detach() if g is None else g for g, t in zip(grads, watched, strict=True)]


def _chosen(args: tuple[Any, ...], argnums: Argnums) -> Any:
    """The arguments to differentiate by.

    Raises:
        RuntimeError: there is no such argument.
    """
    numbers = (argnums,) if isinstance(argnums, int) else argnums
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"Got argnum={n}, but only {len(args)} positional inputs")
    if isinstance(argnums, int):
        return args[argnums]
    return tuple([args[n] for n in argnums])


def _replaced(args: tuple[Any, ...], argnums: Argnums, values: Any) -> list[Any]:
    new = list(args)
    for n, value in zip([argnums], [values]) if isinstance(argnums, int) else zip(argnums, values):
        new[n] = value
    return new


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that returns the gradient of ``func`` and its value.

    Args:
        func: returns a tensor of one element; with ``has_aux`` a pair of it and anything.
        argnums: which arguments to differentiate by; several give a tuple of gradients. An
            argument may be a container of tensors, and its gradient then is one, too.

    Raises:
        RuntimeError: ``func`` returns no tensor, or one of several elements.

    >>> import devgrad
    >>> devgrad.func.grad_and_value(lambda x: (x**2).sum())(devgrad.tensor([1.0, 2.0]))
    (tensor([2., 4.]), tensor(5.))
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        sources, shape = _sources(_chosen(args, argnums), "grad")
        with enable_grad(), sources as watched:
            inputs = unflatten(watched, shape)
            output = func(*_replaced(args, argnums, inputs), **kwargs)
            aux = None
            if has_aux:
                if not (isinstance(output, tuple) and len(output) == 2):
                    raise RuntimeError(
                        "grad_and_value(f)(*args): output of function f should be a tuple: (output,"
                        " aux) if has_aux is True"
                    )
                output, aux = output
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a tensor, got "
                    f"{type(output)}"
                )
            if output.dim() != 0:
                raise RuntimeError(
                    "grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got "
                    f"tensor with {output.dim()} dims. Maybe you wanted to use the vjp or jacrev "
                    "APIs instead?"
                )
            if output._own_edge() is None:
                grads = [zeros_like(t).detach() for t in watched]
            else:
                found = autograd.grad(output, watched, create_graph=True, allow_unused=True)
                grads = _zero_for_none(found, watched)
        gradient, output, aux = _released((unflatten(grads, shape), output, aux))
        return (gradient, (output, aux)) if has_aux else (gradient, output)

    return wrapper


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """The function that returns the gradient of ``func``; see `grad_and_value`.

    >>> import devgrad
    >>> devgrad.func.grad(devgrad.sin)(devgrad.tensor(0.0))
    tensor(1.)
    >>> devgrad.func.grad(devgrad.func.grad(lambda x: x**3))(devgrad.tensor(2.0))
    tensor(12.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapper


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of ``func``, and the function that maps a cotangent of it to those of ``primals``.

    >>> import devgrad
    >>> y, pull = devgrad.func.vjp(lambda x: x**2, devgrad.tensor([1.0, 2.0]))
    >>> pull(devgrad.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    sources, primal_shape = _sources(primals, "vjp")
    with enable_grad(), sources as watched:
        output = func(*unflatten(watched, primal_shape))
    aux = None
    if has_aux:
        output, aux = output
    outputs, shape = flatten(output)
    for x in outputs:
        if not isinstance(x, Tensor):
            raise RuntimeError(
                f"vjp(f, *primals): Expected f(*primals) to return only tensors, got {type(x)}"
            )

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        """The cotangents of the primals."""
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        values, given_shape = flatten(given)
        if len(values) != len(outputs):
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {given_shape}, primal output: {shape}"
            )
        pairs = [(y, g) for y, g in zip(outputs, values, strict=True) if y._own_edge() is not None]
        if not pairs:
            found = [zeros_like(t).detach() for t in watched]
        else:
            with enable_grad():
                grads = autograd.grad(
                    [y for y, _ in pairs], watched, [g for _, g in pairs],
                    create_graph=True, retain_graph=True, allow_unused=True,
                )  # fmt: skip
            found = _zero_for_none(grads, watched)
        return _released(unflatten(found, primal_shape))

    value = _released(output)
    return (value, pull, _released(aux)) if has_aux else (value, pull)


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False,
    has_aux: bool = False,
) -> Any:  # fmt: skip
    """The value of ``func``, and its derivative in the direction of ``tangents``.

    >>> import devgrad
    >>> x, t = devgrad.tensor([1.0, 2.0]), devgrad.tensor([1.0, 0.0])
    >>> devgrad.func.jvp(lambda x: x**2, (x,), (t,))
    (tensor([1., 4.]), tensor([2., 0.]))
    """
    if not isinstance(primals, tuple):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals to be a tuple. E.g. it should be valid to "
            "call f(*primals)."
        )
    flat, shape = flatten(primals)
    directions, _ = flatten(tangents)
    if len(flat) != len(directions):
        raise RuntimeError(
            "jvp(f, primals, tangents): Expected primals and tangents to have the same python "
            f"structure. For example, if primals is a tuple of 3 tensors, tangents also must be. "
            f"Got {len(flat)} and {len(directions)} tensors"
        )
    with enable_grad(), Level() as level:
        duals = [level.dual(x, t) for x, t in zip(flat, directions, strict=True)]
        output = func(*unflatten(duals, shape))
        aux = None
        if has_aux:
            output, aux = output
        parts, output_shape = flatten(output)
        for part in parts:
            if not isinstance(part, Tensor):
                raise RuntimeError(
                    "jvp(f, primals, tangents): Expected f(*primals) to return only tensors, got "
                    f"{type(part)}"
                )
        unpacked = [level.unpack(part) for part in parts]
    for _, tangent in unpacked:
        if tangent is None and strict:
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the "
                "inputs. This is not allowed with strict=True."
            )
    values = [p for p, _ in unpacked]
    results = [
        zeros_like(p).detach() if t is None else t for p, t in unpacked
    ]  # fmt: skip
    value, tangent = unflatten(values, output_shape), unflatten(results, output_shape)
    value, tangent = _released((value, tangent))
    return (value, tangent, _released(aux)) if has_aux else (value, tangent)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of ``func``, and the linear function that its derivative is at ``primals``.

    >>> import devgrad
    >>> value, linear = devgrad.func.linearize(lambda x: x**2, devgrad.tensor(3.0))
    >>> linear(devgrad.tensor(1.0))
    tensor(6.)
    """
    value = func(*primals)

    def linear(*tangents: Any) -> Any:
        return jvp(func, primals, tangents)[1]

    return value, linear


def _basis(like: Tensor) -> list[Tensor]:
    """A unit vector for each element."""
    n = like.numel()
    rows = []
    for i in range(n):
        row = zeros(n, dtype=like.dtype, device=like.device)
        row[i] = 1
        rows.append(row.reshape(like.shape))
    return rows


def _joined(columns: list[Tensor], out: Tensor, of: Tensor, dim: int) -> Tensor:
    """A Jacobian of its rows (``dim=0``), or of its columns (``dim=-1``)."""
    if not columns:
        return empty((*out.shape, *of.shape), dtype=out.dtype, device=out.device)
    whole: Tensor = _stack(columns, dim)
    return whole.reshape((*out.shape, *of.shape))


def jacrev(
    func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False,
    chunk_size: int | None = None, _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """The function that computes the Jacobian of ``func``, a row (an output) at a time.

    Its shape is that of the output followed by that of the argument.

    >>> import devgrad
    >>> devgrad.func.jacrev(devgrad.sin)(devgrad.tensor([0.0, 0.0]))
    tensor([[1., 0.],
            [0., 1.]])
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(args, argnums)
        flat, shape = flatten(chosen)

        def of_flat(*leaves: Any) -> Any:
            inputs = unflatten(list(leaves), shape)
            return func(*_replaced(args, argnums, inputs), **kwargs)

        result = vjp(of_flat, *flat, has_aux=has_aux)
        value, pull = result[0], result[1]
        outputs, output_shape = flatten(value)
        jacobians = []
        for number, out in enumerate(outputs):
            rows: list[list[Tensor]] = [[] for _ in flat]
            for unit in _basis(out):
                cotangent = [unit if k == number else zeros_like(o) for k, o in enumerate(outputs)]
                for row, g in zip(rows, pull(unflatten(cotangent, output_shape)), strict=True):
                    row.append(g)
            parts = [_joined(row, out, x, 0) for row, x in zip(rows, flat, strict=True)]
            jacobians.append(unflatten(parts, shape))
        jacobian = unflatten(jacobians, output_shape)
        return (jacobian, result[2]) if has_aux else jacobian

    return wrapper


def jacfwd(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *,
    randomness: str = "error",
) -> Callable[..., Any]:  # fmt: skip
    """The function that computes the Jacobian of ``func``, a column (an input) at a time.

    >>> import devgrad
    >>> devgrad.func.jacfwd(lambda x: x**2)(devgrad.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        chosen = _chosen(args, argnums)
        flat, shape = flatten(chosen)
        aux: Any = None

        def of_flat(*leaves: Any) -> Any:
            inputs = unflatten(list(leaves), shape)
            return func(*_replaced(args, argnums, inputs), **kwargs)

        columns: list[list[list[Tensor]]] = []  # for each argument, each of its elements
        value: Any = None
        for number, x in enumerate(flat):
            columns.append([])
            for unit in _basis(x):
                tangents = tuple([
                    unit if k == number else zeros_like(y) for k, y in enumerate(flat)
                ])  # fmt: skip
                value, tangent, *more = jvp(of_flat, tuple(flat), tangents, has_aux=has_aux)
                aux = more[0] if has_aux else None
                columns[-1].append(flatten(tangent)[0])
        if value is None:  # no argument has elements
            value = of_flat(*flat)
            value, aux = value if has_aux else (value, None)
        outputs, output_shape = flatten(value)
        jacobians = [
            unflatten(
                [
                    _joined([column[k] for column in columns[i]], out, x, -1)
                    for i, x in enumerate(flat)
                ],
                shape,
            )
            for k, out in enumerate(outputs)
        ]
        jacobian = unflatten(jacobians, output_shape)
        return (jacobian, aux) if has_aux else jacobian

    return wrapper


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """The function that computes the Hessian of ``func``: forward mode over reverse mode.

    >>> import devgrad
    >>> devgrad.func.hessian(lambda x: (x**3).sum())(devgrad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
