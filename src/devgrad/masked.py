"""``devgrad.masked``: operations that leave out elements.

Each is the operation of its name, with ``mask``: True for the elements that count. It has the shape
of ``input``, or one that broadcasts to it. What is masked out is replaced by the value that changes
nothing (zero in a sum, one in a product); where nothing is left, that value is the result. What a
softmax or a cumulative sum has at masked-out places means nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._info import iinfo
from ._tensor import Tensor
from .device import DTYPES, DType
from .ops import FUNCTIONS, load_all

load_all()

__all__ = [
    "amax", "amin", "argmax", "argmin", "cumprod", "cumsum", "log_softmax", "logaddexp",
    "logsumexp", "mean", "median", "norm", "normalize", "prod", "softmax", "softmin", "std", "sum",
    "var",
]  # fmt: skip

Dims = Any  # an int, a tuple of ints, or None for all dimensions
_ops = FUNCTIONS[""]


# --- masking --------------------------------------------------------------------------------------


def _mask_for(input: Tensor, mask: Tensor) -> Tensor:
    """The mask in the shape of ``input``, as bools.

    Raises:
        IndexError: it has more dimensions. RuntimeError: it does not broadcast.
    """
    if mask.shape != input.shape:
        if mask.ndim > input.ndim:
            raise IndexError(
                "_input_mask expected broadcastable mask (got mask dimensionality higher than of "
                f"the input): {mask.ndim}, and {input.ndim} of the input"
            )
        mask = _ops["broadcast_to"](mask, input.shape)
    return mask.bool()


def _filled(input: Tensor, mask: Tensor | None, value: Any) -> Tensor:
    """``input`` with ``value`` where it is masked out."""
    if mask is None:
        return input
    filled: Tensor = _ops["where"](_mask_for(input, mask), input, input.new_tensor(value))
    return filled


def _least(dtype: DType) -> Any:
    if dtype.category > 1:
        return -float("inf")
    return False if dtype.name == "bool" else iinfo(dtype).min


def _greatest(dtype: DType) -> Any:
    if dtype.category > 1:
        return float("inf")
    return True if dtype.name == "bool" else iinfo(dtype).max


def _dims(dim: Dims, rank: int) -> tuple[int, ...]:
    """The dimensions counted from the front, in order; all of them for None and ``()``.

    Raises:
        IndexError: there is no such dimension. RuntimeError: one is named twice.
    """
    if dim is None or dim == ():
        return tuple(range(rank))
    rank = max(rank, 1)
    found: list[int] = []
    for d in (dim,) if isinstance(dim, int) else dim:
        if not -rank <= d < rank:
            raise IndexError(
                "Dimension out of range (expected to be in range of "
                f"[{-rank}, {rank - 1}], but got {d})"
            )
        if d % rank in found:
            raise RuntimeError(f"dim={d} appears multiple times in the list of dims")
        found.append(d % rank)
    return tuple(sorted(found))


def _summed_dtype(input: Tensor, dtype: DType | None) -> DType:
    """int64 for bools and whole numbers, unless ``dtype`` is given."""
    given = input.dtype if dtype is None else dtype
    small = dtype is None and given.category < 2
    return DTYPES["int64"] if small else given


def _in(result: Tensor, dtype: DType | None, input: Tensor) -> Tensor:
    converted: Tensor = result.to(input.dtype if dtype is None else dtype)
    return converted


# --- reductions -----------------------------------------------------------------------------------


def sum(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The sum of the elements that count.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 2.0, 3.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.sum(x, mask=mask)
    tensor(4.)
    """
    total: Tensor = _ops["sum"](
        _filled(input, mask, 0), _dims(dim, input.ndim), bool(keepdim),
        dtype=_summed_dtype(input, dtype),
    )  # fmt: skip
    return total


def prod(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The product of the elements that count.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 2.0, 3.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.prod(x, mask=mask)
    tensor(3.)
    """
    result = _filled(input, mask, 1).to(_summed_dtype(input, dtype))
    for d in reversed(_dims(dim, input.ndim)):
        result = _ops["prod"](result, d, bool(keepdim))
    return result


def amax(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The greatest of the elements that count.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 2.0, 3.0]), devgrad.tensor([True, True, False])
    >>> devgrad.masked.amax(x, mask=mask)
    tensor(2.)
    """
    filled = _filled(input, mask, _least(input.dtype))
    return _in(_ops["amax"](filled, _dims(dim, input.ndim), bool(keepdim)), dtype, input)


def amin(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The least of the elements that count.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 2.0, 3.0]), devgrad.tensor([False, True, True])
    >>> devgrad.masked.amin(x, mask=mask)
    tensor(2.)
    """
    filled = _filled(input, mask, _greatest(input.dtype))
    return _in(_ops["amin"](filled, _dims(dim, input.ndim), bool(keepdim)), dtype, input)


def argmax(
    input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where the greatest element that counts is; in the dtype of ``input`` unless one is given.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1, 2, 3]), devgrad.tensor([True, True, False])
    >>> devgrad.masked.argmax(x, mask=mask)
    tensor(1)
    """
    filled = _filled(input, mask, _least(input.dtype))
    return _in(_ops["argmax"](filled, dim, bool(keepdim)), dtype, input)


def argmin(
    input: Tensor, dim: int | None = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where the least element that counts is; in the dtype of ``input`` unless one is given.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1, 2, 3]), devgrad.tensor([False, True, True])
    >>> devgrad.masked.argmin(x, mask=mask)
    tensor(1)
    """
    filled = _filled(input, mask, _greatest(input.dtype))
    return _in(_ops["argmin"](filled, dim, bool(keepdim)), dtype, input)


def _count(input: Tensor, dim: Dims, keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements count."""
    counted = input.new_ones(input.shape, dtype=DTYPES["bool"]) if mask is None else mask
    return sum(_mask_for(input, counted), dim, keepdim=keepdim)


def mean(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The mean of the elements that count; NaN of none.

    Raises:
        ValueError: neither ``input`` nor ``dtype`` is floating point or complex.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 2.0, 3.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.mean(x, mask=mask)
    tensor(2.)
    """
    found = input.dtype if dtype is None else dtype
    if found.category < 2:
        raise ValueError(
            f"mean(): Could not infer output dtype. {'Input' if dtype is None else 'Optional'} "
            f"dtype must be either a floating point or complex dtype. Got: {found}"
        )
    total = sum(input, dim, keepdim=keepdim, dtype=found, mask=mask)
    return total / _count(input, dim, keepdim, mask)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The lower middle of the elements that count; NaN of none.

    Raises:
        ValueError: nothing is left of a row of whole numbers.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 2.0, 3.0]), devgrad.tensor([False, True, True])
    >>> devgrad.masked.median(x, mask=mask)
    tensor(2.)
    """
    (d,) = _dims(dim, input.ndim)
    floats = input if input.is_floating_point() else input.float()
    found = _ops["nanmedian"](_filled(floats, mask, float("nan")), d, keepdim)[0]
    if input.is_floating_point():
        result: Tensor = found
        return result
    if _ops["isnan"](found).any():
        raise ValueError(
            "masked median expects no fully masked out rows if dtype is not floating point"
        )
    return _in(found, dtype, input)


def logsumexp(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The logarithm of the sum of the exponentials of the elements that count.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([0.0, 5.0, 0.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.logsumexp(x, mask=mask)
    tensor(0.6931)
    """
    filled = _filled(input, mask, _least(input.dtype))
    return _in(_ops["logsumexp"](filled, _dims(dim, input.ndim), keepdim), dtype, input)


def norm(
    input: Tensor, ord: float | None = 2.0, dim: Dims = None, *, keepdim: bool = False,
    dtype: DType | None = None, mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The norm of order ``ord`` of the elements that count, as of ``linalg.vector_norm``.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([3.0, 9.0, 4.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.norm(x, mask=mask)
    tensor(5.)
    """
    filled = _filled(input, mask, float("inf") if ord == -float("inf") else 0)
    found: Tensor = FUNCTIONS["linalg"]["vector_norm"](
        filled, 2.0 if ord is None else ord, _dims(dim, input.ndim), bool(keepdim), dtype=dtype
    )
    return found


def _spread(
    input: Tensor, dim: Dims, unbiased: bool | None, correction: float | None, keepdim: bool,
    dtype: DType | None, mask: Tensor | None,
) -> Tensor:  # fmt: skip
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1.0 if unbiased is None or unbiased else 0.0
    single = DTYPES["float32"]
    wanted = dtype or (single if input.dtype.category < 2 else input.dtype)
    inside = single if wanted.category < 2 else wanted
    count = _count(input, dim, True, mask)
    away = input - sum(input, dim, keepdim=True, dtype=wanted, mask=mask) / count
    total = sum(away * away.conj(), dim, keepdim=bool(keepdim), dtype=inside, mask=mask)
    count = count.reshape(total.shape)
    if correction:
        count = _ops["clamp"](count.to(away.real.dtype) - correction, 0)
    result: Tensor = (total / count).to(wanted)
    return result


def var(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, *,
    correction: float | None = None, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The variance of the elements that count: divided by their number less ``correction`` (1).

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 9.0, 3.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.var(x, mask=mask)
    tensor(2.)
    """
    return _spread(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Tensor, dim: Dims = None, unbiased: bool | None = None, *,
    correction: float | None = None, keepdim: bool = False, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The standard deviation of the elements that count: the square root of `var`.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 9.0, 3.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.std(x, correction=0, mask=mask)
    tensor(1.)
    """
    found: Tensor = _ops["sqrt"](_spread(input, dim, unbiased, correction, keepdim, dtype, mask))
    return found


# --- what keeps the shape -------------------------------------------------------------------------


def _cumulative(name: str, neutral: int) -> Callable[..., Tensor]:
    def along(
        input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
    ) -> Tensor:
        (d,) = _dims(dim, input.ndim)
        wanted = input.dtype if dtype is None else dtype
        return _in(_ops[name](_filled(input, mask, neutral), d, dtype=wanted), dtype, input)

    along.__name__ = along.__qualname__ = name
    what = {"cumsum": "sum", "cumprod": "product"}[name]
    along.__doc__ = f"The {what} of the elements that count, up to each place along ``dim``."
    return along


cumsum = _cumulative("cumsum", 0)
cumprod = _cumulative("cumprod", 1)


def _softened(name: str, neutral: Callable[[DType], Any], doc: str) -> Callable[..., Tensor]:
    def along(
        input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None
    ) -> Tensor:
        wanted = input.dtype if dtype is None else dtype
        (d,) = _dims(dim, input.ndim)
        filled = _filled(input, mask, neutral(input.dtype))
        found: Tensor = FUNCTIONS["nn.functional"][name](filled, d, dtype=wanted)
        return found

    along.__name__ = along.__qualname__ = name
    along.__doc__ = doc
    return along


softmax = _softened(
    "softmax", _least, "The softmax along ``dim`` of the elements that count; the rest get 0."
)
log_softmax = _softened(
    "log_softmax", _least, "The logarithm of `softmax`; the rest get minus infinity."
)
softmin = _softened("softmin", _greatest, "The `softmax` of ``-input``.")


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``input`` divided by the norm along ``dim`` of the elements that count, at least ``eps``.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([3.0, 9.0, 4.0]), devgrad.tensor([True, False, True])
    >>> devgrad.masked.normalize(x, 2.0, 0, mask=mask)
    tensor([0.6000, 0.0000, 0.8000])
    """
    length = norm(input, ord, _dims(dim, input.ndim)[0], keepdim=True, dtype=dtype, mask=mask)
    length = _ops["maximum"](length, length.detach().new_full((), eps))
    result: Tensor = _filled(input, mask, 0) / length
    return result


def logaddexp(
    input: Tensor, other: Tensor, *, dtype: DType | None = None,
    input_mask: Tensor | None = None, other_mask: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``log(exp(input) + exp(other))``, each with its own mask.

    >>> import devgrad
    >>> x, mask = devgrad.tensor([1.0, 2.0]), devgrad.tensor([True, False])
    >>> devgrad.masked.logaddexp(x, x, other_mask=mask)
    tensor([1.6931, 2.0000])
    """
    first = _filled(input, input_mask, -float("inf"))
    second = _filled(other, other_mask, -float("inf"))
    return _in(_ops["logaddexp"](first, second), dtype, input)
