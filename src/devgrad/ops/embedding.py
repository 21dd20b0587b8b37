"""Tables of vectors: looking up rows, and sums, means and maxima of bags of them."""

from __future__ import annotations

import warnings
from typing import Any

from .._tensor import Tensor, wrap
from ..autograd._modes import mode, no_grad
from ..device import user_stacklevel
from ._functional import FUNCTIONAL
from ._inplace import bump, check_inplace
from ._op import FUNCTIONS, Array, composite, op

__all__: list[str] = []


# --- rows by index --------------------------------------------------------------------------------


@op(name="embedding", function=False, method=False)
def rows_at(
    xp: Any, weight: Array, indices: Array, padding_idx: int, scale_grad_by_freq: bool
) -> Array:
    """The rows of ``weight`` at ``indices``.

    Raises:
        IndexError: there is no such row.
    """
    if xp.checks_bounds and indices.size:
        n = weight.shape[0]
        if indices.min() < 0 or indices.max() >= n:
            raise IndexError(
                f"index out of range in self. The indices are from {int(indices.min())} to "
                f"{int(indices.max())}, the table has {n} rows"
            )
    return weight.take(indices, axis=0)


@op(node="EmbeddingDenseBackwardBackward0", function=False, method=False)
def rows_added(xp: Any, input: Array, indices: Array, count: int) -> Array:
    """``count`` rows of zeros, with the rows ``input`` added at ``indices``: `rows_at` back."""
    width = input.shape[indices.ndim :]
    dtype = xp.float32 if input.dtype.itemsize == 2 else input.dtype
    result = xp.zeros((count, *width), dtype)
    xp.scatter_add(result, indices.reshape(-1), input.reshape(-1, *width).astype(dtype, copy=False))
    return result.astype(input.dtype, copy=False)


@op(function=False, method=False)
def rows_shared(
    xp: Any, input: Array, indices: Array, count: int, padding_idx: int, by_frequency: bool
) -> Array:
    """The rows ``input``, over how often each index occurs; zero where it is the padding's."""
    if by_frequency:
        often = xp.bincount(indices.reshape(-1), minlength=count)[indices]
        input = input / often.astype(input.dtype)[..., None]
    if padding_idx >= 0:
        input = xp.where((indices == padding_idx)[..., None], 0, input)
    return input


rows_shared.vjp(
    input=lambda g, indices, count, padding_idx, by_frequency: rows_shared(
        g, indices, count, padding_idx, by_frequency
    )
)


def _table_gradient(
    g: Any, shape: Any, indices: Any, padding_idx: int, scale_grad_by_freq: bool
) -> Any:
    if padding_idx >= 0 or scale_grad_by_freq:
        g = rows_shared(g, indices, shape[0], padding_idx, scale_grad_by_freq)
    return rows_added(g, indices, shape[0])


rows_at.vjp(
    weight=lambda g, weight_shape, indices, padding_idx, scale_grad_by_freq: _table_gradient(
        g, weight_shape, indices, padding_idx, scale_grad_by_freq
    )
)
rows_added.vjp(input=lambda g, indices: rows_at(g, indices, -1, False))


def _check_indices(name: str, indices: Tensor) -> None:
    if indices._type.dtype.name not in ("int64", "int32"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{indices._type.dtype.title}Tensor instead (while checking "
            f"arguments for {name})"
        )


@composite(method=False, out=False)
def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:  # fmt: skip
    """`nn.functional.embedding`, with the arguments in another order.

    >>> import devgrad
    >>> devgrad.embedding(devgrad.tensor([[1.0, 2.0], [3.0, 4.0]]), devgrad.tensor([1]))
    tensor([[3., 4.]])
    """
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    _check_indices("embedding", indices)
    result: Tensor = rows_at.function(weight, indices, padding_idx, scale_grad_by_freq)
    return result


def embedding_renorm_(
    input: Tensor, indices: Tensor, max_norm: float, norm_type: float = 2.0
) -> Tensor:
    """Scale the rows at ``indices`` down to the norm ``max_norm``, in place and unrecorded.

    >>> import devgrad
    >>> devgrad.embedding_renorm_(devgrad.tensor([[3.0, 4.0]]), devgrad.tensor([0]), 1.0)
    tensor([[0.6000, 0.8000]])
    """
    xp, array = input._type.xp, input._array
    check_inplace("embedding_renorm_", input, mode.grad and input.requires_grad)
    used = xp.unique(indices._array)
    rows = array[used]
    norms = xp.linalg.norm(rows, ord=norm_type, axis=1, keepdims=True)
    array[used] = xp.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)
    bump(input)
    return input


FUNCTIONS[""]["embedding_renorm_"] = embedding_renorm_


def _padding_row(padding_idx: int | None, rows: int) -> int:
    """The row of padding counted from the front; -1 for none."""
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


@composite(**FUNCTIONAL)
def embedding_(
    input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
    norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False,
) -> Tensor:  # fmt: skip
    """The rows of ``weight`` at the indices ``input``.

    Args:
        input: int64 or int32, of any shape.
        weight: (rows, m). The result has the shape of ``input`` and m.
        padding_idx: a row that gets no gradient.
        max_norm: rows of a greater ``norm_type``-norm are scaled down first, in place.
        scale_grad_by_freq: divide gradients by how often a row occurs in ``input``.
        sparse: accepted; gradients are dense all the same.

    Raises:
        AssertionError: there is no row ``padding_idx``.
        IndexError: there is no such row.
        RuntimeError: dtypes or shapes do not fit.

    >>> import devgrad
    >>> table = devgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> devgrad.nn.functional.embedding(devgrad.tensor([1, 0]), table)
    tensor([[3., 4.],
            [1., 2.]])
    """
    padding = _padding_row(padding_idx, weight.shape[0])
    if max_norm is not None:
        with no_grad():
            embedding_renorm_(weight, input, max_norm, norm_type)
    return embedding(weight, input, padding, scale_grad_by_freq, sparse)


# --- bags -----------------------------------------------------------------------------------------

_bags_summed = op(
    name="bags_summed", node="EmbeddingBagBackward0", function=False, method=False
)(rows_added.forward)  # fmt: skip
_bags_summed.vjp(input=rows_added.rules["input"][0])


@op(function=False, method=False)
def bag_maxima(xp: Any, weight: Array, indices: Array, bags: Array, sizes: Array) -> Array:
    """Which row has the greatest element of each bag and column; 0 for an empty bag.

    ``bags`` says, in ascending order, in which bag each index is.
    """
    count, longest = sizes.shape[0], int(sizes.max()) if sizes.size else 0
    width = weight.shape[1]
    if not longest:
        return xp.zeros((count, width), indices.dtype)
    starts = xp.cumsum(sizes) - sizes
    slot = xp.arange(indices.shape[0]) - starts[bags]
    padded = xp.zeros((count, longest), indices.dtype)
    padded[bags, slot] = indices
    there = xp.arange(longest) < sizes[:, None]
    rows = xp.where(there[:, :, None], weight[padded], -xp.inf)
    return xp.take_along_axis(padded, rows.argmax(axis=1), axis=1)


def _check_offsets(indices: Tensor, offsets: Tensor) -> None:
    array = offsets._array
    if not array.size:
        return
    if array[0] != 0:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {int(array[0])}"
        )
    if array[-1] > indices.numel():
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {indices.numel()} but got "
            f"offsets[-1] of {int(array[-1])}"
        )


_MODES = ("sum", "mean", "max")


@composite(method=False, out=False)
def embedding_bag(
    weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False,
    mode: int = 0, sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """`nn.functional.embedding_bag`, with the arguments in another order and more results.

    Args:
        mode: 0 for sums, 1 for means, 2 for maxima.

    Returns:
        The bags; in which bag each index is; how many each bag has (padding left out); and of
        which rows the maxima are.

    >>> import devgrad
    >>> table, rows = devgrad.tensor([[1.0], [3.0]]), devgrad.tensor([0, 1])
    >>> devgrad.embedding_bag(table, rows, devgrad.tensor([0]))[0]
    tensor([[4.]])
    """
    _check_indices("embedding_bag", indices)
    _check_offsets(indices, offsets)
    xp, device = weight._type.xp, weight._type.device
    starts = offsets._array
    count = starts.shape[0] - 1 if include_last_offset else starts.shape[0]
    n = indices._array.shape[0]
    positions = xp.arange(n, dtype=xp.int64)
    bag_of = xp.searchsorted(starts[:count], positions, side="right") - 1
    padding = -1 if padding_idx is None else _padding_row(padding_idx, weight.shape[0])
    kept = indices._array != padding
    kinds = device.types
    if not kept.all():
        where_kept = wrap(kept, kinds[kept.dtype])
        indices, bag_of = indices[where_kept], bag_of[kept]
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights[where_kept]
    bag_of = bag_of.astype(xp.int64, copy=False)
    sizes = xp.bincount(bag_of, minlength=count).astype(xp.int64, copy=False)
    bags, bag_size = (wrap(x, kinds[x.dtype]) for x in (bag_of, sizes))
    none = wrap(xp.zeros((0,), sizes.dtype), kinds[sizes.dtype])
    if mode == 2:
        # The rows' numbers are taken without a gradient; the elements there with one.
        maxima = bag_maxima.function(weight, indices, bags, bag_size)
        columns = wrap(xp.arange(weight.shape[1]), kinds[sizes.dtype])
        found = weight[maxima, columns].masked_fill((bag_size == 0).unsqueeze(-1), 0)
        return found, bags, bag_size, maxima
    rows = rows_at.function(weight, indices, -1, scale_grad_by_freq)
    if weight._type.dtype.itemsize == 2:
        rows = rows.float()
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.to(rows.dtype).unsqueeze(-1)
    result = _bags_summed.function(rows, bags, count)
    if mode == 1:
        divisors = xp.maximum(sizes, 1).astype(result._type.array_dtype)[:, None]
        result = result / wrap(divisors, result._type)
    return result.to(weight.dtype), bags, bag_size, none


@composite(**FUNCTIONAL)
def embedding_bag_(
    input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
    norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean",
    sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean, sum or maximum of the rows of ``weight`` in each bag of indices.

    Args:
        input: (B, n): B bags of n indices; or (N), cut into bags by ``offsets``.
        weight: (rows, m). The result is (B, m); of an empty bag it is 0.
        offsets: where each bag begins; for a 1-dimensional ``input`` only.
        max_norm: rows of a greater ``norm_type``-norm are scaled down first, in place.
        scale_grad_by_freq: divide gradients by how often a row occurs in ``input``.
        mode: ``"mean"``, ``"sum"`` or ``"max"``.
        sparse: accepted; gradients are dense all the same.
        per_sample_weights: of the shape of ``input``: by what each row is multiplied, for sums.
        include_last_offset: the last offset is the end of the last bag.
        padding_idx: a row that is left out.

    Raises:
        ValueError: shapes or arguments do not fit.
        NotImplementedError: ``per_sample_weights`` are given for other than sums.
        RuntimeError: the offsets do not fit, or ``input`` is no integer.

    >>> import devgrad
    >>> table = devgrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> devgrad.nn.functional.embedding_bag(devgrad.tensor([[1, 0]]), table)
    tensor([[2., 3.]])
    """
    if weight._type.dtype.name == "int64" and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=user_stacklevel(),
        )
        weight, input = input, weight
    if per_sample_weights is not None and input.shape != per_sample_weights.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then "
            f"it must have the same shape as the input ({input.shape})"
        )
    if weight.ndim != 2:
        raise ValueError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.ndim}")
    if mode not in _MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and (scale_grad_by_freq or sparse):
        what = "scaling the gradient by the frequency" if scale_grad_by_freq else "sparse weights"
        raise ValueError(f"max mode does not support {what}")
    input, starts, per_sample_weights, last = _flat_bags(
        input, offsets, per_sample_weights, include_last_offset
    )
    if max_norm is not None:
        with no_grad():
            embedding_renorm_(weight, input, max_norm, norm_type)
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    return embedding_bag(
        weight, input, starts, scale_grad_by_freq, _MODES.index(mode), sparse, per_sample_weights,
        last, padding_idx,
    )[0]  # fmt: skip


def _flat_bags(
    input: Tensor, offsets: Tensor | None, weights: Tensor | None, include_last_offset: bool
) -> tuple[Tensor, Tensor, Tensor | None, bool]:
    """Indices and weights in one dimension, and where the bags begin."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
        kind, (rows, n) = input._type, input._array.shape
        starts = wrap(kind.xp.arange(rows, dtype=kind.array_dtype) * n, kind)
        return input.reshape(-1), starts, None if weights is None else weights.reshape(-1), False
    if input.ndim != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}"
        )
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    return input, offsets, weights, include_last_offset


# --- one-hot --------------------------------------------------------------------------------------


@composite(**FUNCTIONAL)
def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """1 at the class of each element along a new last dimension, 0 elsewhere.

    Args:
        input: int64, of any shape.
        num_classes: how many classes there are; -1 for one more than the largest.

    Raises:
        RuntimeError: ``input`` is not int64, or an element is no class.

    >>> import devgrad
    >>> devgrad.nn.functional.one_hot(devgrad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if input._type.dtype.name != "int64":
        raise RuntimeError(
            "one_hot is only applicable to index tensor of type LongTensor. This one is "
            f"{input.dtype}: convert it, x.long()"
        )
    xp, classes = input._type.xp, input._array
    if not classes.size:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return wrap(xp.zeros((*classes.shape, num_classes), xp.int64), input._type)
    if num_classes == -1 or xp.checks_bounds:
        if classes.min() < 0:
            raise RuntimeError("Class values must be non-negative.")
        largest = int(classes.max())
        if num_classes == -1:
            num_classes = largest + 1
        elif largest >= num_classes:
            raise RuntimeError("Class values must be smaller than num_classes.")
    hot = classes[..., None] == xp.arange(num_classes)
    return wrap(hot.astype(xp.int64), input._type)
