"""A function over a batch: `vmap`.

The function is run once for each element of the batch, and the results are stacked. That holds for
whatever the function does - changes in place, branches, other transforms - and costs what the loop
costs. (PyTorch rewrites each operation for a batch instead, which is faster, and refuses branches.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .._random import default_generator
from .._tensor import Tensor
from ..ops import FUNCTIONS
from ._tree import broadcast_to, flatten, unflatten

__all__ = ["vmap"]

Dims = Any


def vmap(
    func: Callable[..., Any],
    in_dims: Dims = 0,
    out_dims: Dims = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that applies ``func`` to each element of a batch.

    Args:
        func: takes and returns tensors, or containers of them.
        in_dims: for each argument, the dimension of the batch, or None for all of it each time.
        out_dims: for each result, where the dimension of the batch is put.
        randomness: ``"same"`` gives each element the same random numbers, ``"different"`` its own;
            ``"error"`` refuses random operations.
        chunk_size: accepted; the batch is run one by one anyway.

    Raises:
        ValueError: nothing is batched, sizes differ, or dims do not fit the arguments.

    >>> import devgrad
    >>> batch = devgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> devgrad.func.vmap(devgrad.func.grad(lambda x: (x**2).sum()))(batch)
    tensor([[2., 4.],
            [6., 8.]])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. Got "
            f"{randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        name = getattr(func, "__name__", repr(func))
        flat, shape = flatten(args)
        dims = _in_dims(in_dims, args, flat, name)
        size = _batch_size(dims, flat, name)
        slices = [
            x if d is None else x.unbind(d) for x, d in zip(flat, dims, strict=True)
        ]  # fmt: skip
        state = default_generator.get_state() if randomness != "different" else None
        columns: list[list[Any]] = []
        result_shape: Any = None
        for i in range(size):
            if randomness == "same" and i and state is not None:
                default_generator.set_state(state)
            parts = [x if d is None else x[i] for x, d in zip(slices, dims, strict=True)]
            leaves, result_shape = flatten(func(*unflatten(parts, shape), **kwargs))
            for leaf in leaves:
                if not isinstance(leaf, Tensor):
                    raise ValueError(
                        f"vmap({name}, ...): `{name}` must only return Tensors, got type "
                        f"{type(leaf)}. Did you mean to set out_dims= to None for output?"
                    )
            columns.append(leaves)
            if i == 0 and randomness == "error":
                _refuse_randomness(state)
        return unflatten(_stacked(columns, result_shape, out_dims, name), result_shape)

    return wrapper


def _refuse_randomness(state: Any) -> None:
    if bool((default_generator.get_state() != state).any()):
        default_generator.set_state(state)
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the "
            "'same' or 'different' randomness flags on vmap or perform the randomness operation "
            "out of vmap"
        )


def _in_dims(in_dims: Dims, args: tuple[Any, ...], flat: list[Any], name: str) -> list[Any]:
    """The dimension of the batch for each leaf of the arguments."""
    if not isinstance(in_dims, (int, tuple, list)):
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): expected `in_dims` to be int or a "
            "(potentially nested) tuple matching the structure of inputs, got: "
            f"{type(in_dims)}."
        )
    if not flat:
        raise ValueError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are "
            "trying to vmap over a function with no inputs. The latter is unsupported."
        )
    prefix = tuple(in_dims) if isinstance(in_dims, list) else in_dims
    dims = broadcast_to(prefix, args)
    if dims is None:
        raise ValueError(
            f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): in_dims is not compatible with the "
            f"structure of inputs. in_dims has structure {in_dims} but inputs has structure "
            f"{flatten(args)[1]}."
        )
    result: list[int | None] = []
    for x, d in zip(flat, dims, strict=True):
        if d is None:
            result.append(None)
            continue
        if not isinstance(d, int):
            raise ValueError(
                f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): Got in_dim={d} for an input but "
                "in_dim must be either an integer dimension or None."
            )
        if not isinstance(x, Tensor):
            raise ValueError(
                f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): Got in_dim={d} for an input but "
                f"the input is of type {type(x)}. We cannot vmap over non-Tensor arguments, please "
                "use None as the respective in_dim"
            )
        if not -x.dim() <= d < x.dim():
            raise ValueError(
                f"vmap({name}, in_dims={in_dims}, ...)(<inputs>): Got in_dim={d} for some input, "
                f"but that input is a Tensor of dimensionality {x.dim()} so expected in_dim to "
                f"satisfy -{x.dim()} <= in_dim < {x.dim()}."
            )
        result.append(d % x.dim())
    return result


def _batch_size(dims: list[Any], flat: list[Any], name: str) -> int:
    sizes = [x.shape[d] for x, d in zip(flat, dims, strict=True) if d is not None]
    if not sizes:
        raise ValueError(
            "vmap: Expected at least one Tensor to vmap over: all in_dims of "
            f"vmap({name})(<inputs>) are None"
        )
    if any(n != sizes[0] for n in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    if not sizes[0]:
        raise ValueError("vmap: a batch of size 0 has no elements to run the function on")
    return int(sizes[0])


def _stacked(columns: list[list[Any]], shape: Any, out_dims: Dims, name: str) -> list[Any]:
    """Each result over the whole batch."""
    template = unflatten(columns[0], shape)
    dims = broadcast_to(tuple(out_dims) if isinstance(out_dims, list) else out_dims, template)
    if dims is None and isinstance(out_dims, tuple) and len(out_dims) == 1:
        dims = broadcast_to(out_dims[0], template)
    if dims is None:
        raise ValueError(
            f"vmap({name}, ..., out_dims={out_dims}): out_dims is not compatible with the "
            f"structure of outputs. out_dims has structure {out_dims} but outputs has structure "
            f"{shape}."
        )
    stack = FUNCTIONS[""]["stack"]
    return [
        column[0] if d is None else stack(list(column), d)
        for column, d in zip(zip(*columns, strict=True), dims, strict=True)
    ]
