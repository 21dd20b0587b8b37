"""Copies of views: ``view_copy`` is ``view``, but the result has memory of its own; and so on."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._inplace import write_into
from ._op import FUNCTIONS, METHODS, Array, Ints, composite, op
from .pieces import as_strided

__all__: list[str] = []


def _copy_of(name: str, view: Any, method: bool = False) -> None:
    """Declare ``name``, which gives what ``view`` gives, copied."""

    def copied(*args: Any, out: Tensor | None = None, **kwargs: Any) -> Any:
        if out is not None:
            return write_into(name, copied, out, args, kwargs)
        found = view(*args, **kwargs)
        return tuple([x.clone() for x in found]) if isinstance(found, tuple) else found.clone()

    copied.__name__ = copied.__qualname__ = name
    copied.__doc__ = f"The same as ``{view.__name__}``, as a copy rather than a view."
    composite(copied, method=method, checked=True)


for _view in ("as_strided", "diagonal", "permute", "select", "split", "squeeze", "t",
              "transpose", "unbind", "unsqueeze", "view_as_complex", "view_as_real"):  # fmt: skip
    _copy_of(f"{_view}_copy", FUNCTIONS[""][_view])
for _view in ("detach", "expand", "unfold", "view"):
    _copy_of(f"{_view}_copy", METHODS.get(_view) or getattr(Tensor, _view))
_copy_of("narrow_copy", FUNCTIONS[""]["narrow"], method=True)
_copy_of("split_with_sizes_copy", FUNCTIONS[""]["split_with_sizes"])
for _view in ("chunk", "split", "split_with_sizes"):
    _copy_of(f"unsafe_{_view}", FUNCTIONS[""][_view], method=True)


@composite(method=False)
def alias_copy(input: Tensor) -> Tensor:
    """A copy.

    >>> import devgrad
    >>> devgrad.alias_copy(devgrad.tensor([1, 2]))
    tensor([1, 2])
    """
    return input.clone()


@composite(method=False)
def slice_copy(
    input: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of the elements from ``start`` up to ``end`` along ``dim``, each ``step``-th.

    >>> import devgrad
    >>> devgrad.slice_copy(devgrad.arange(6), 0, 1, 6, 2)
    tensor([1, 3, 5])
    """
    if step < 1:
        raise RuntimeError("slice step must be positive")
    index = (slice(None),) * (dim % max(input.ndim, 1)) + (slice(start, end, step),)
    return input[index].clone()


@composite
def as_strided_scatter(
    input: Tensor, src: Tensor, size: Ints, stride: Ints, storage_offset: int | None = None
) -> Tensor:
    """A copy of ``input`` with ``src`` where `as_strided` would show it.

    Raises:
        RuntimeError: ``src`` has another size than ``size``.

    >>> import devgrad
    >>> devgrad.as_strided_scatter(devgrad.zeros(4), devgrad.ones(2), (2,), (2,))
    tensor([1., 0., 1., 0.])
    """
    copy = input.clone()
    part = as_strided(copy, size, stride, storage_offset)
    if part.shape != src.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(part.shape)}"
        )
    part.copy_(src)
    return copy


# --- nothing is lazily conjugated or negated here -------------------------------------------------


@composite(out=False)
def resolve_conj(input: Tensor) -> Tensor:
    """``input`` itself: conjugates are computed at once here.

    >>> import devgrad
    >>> devgrad.resolve_conj(devgrad.tensor([1 + 2j]).conj())
    tensor([1.-2.j])
    """
    return input


@composite(out=False)
def resolve_neg(input: Tensor) -> Tensor:
    """``input`` itself: negatives are computed at once here.

    >>> import devgrad
    >>> devgrad.resolve_neg(devgrad.tensor([1.0]))
    tensor([1.])
    """
    return input


@composite(out=False)
def is_conj(input: Tensor) -> bool:
    """False: conjugates are computed at once here.

    >>> import devgrad
    >>> devgrad.is_conj(devgrad.tensor([1j]).conj())
    False
    """
    return False


@composite(out=False)
def is_neg(input: Tensor) -> bool:
    """False: negatives are computed at once here.

    >>> import devgrad
    >>> devgrad.is_neg(devgrad.tensor([1.0]))
    False
    """
    return False


@composite(function=False, out=False, varargs=True)
def sum_to_size(input: Tensor, size: Ints) -> Tensor:
    """``input`` summed down to a size that broadcasts to its own.

    Raises:
        RuntimeError: it does not.

    >>> import devgrad
    >>> devgrad.ones(2, 3).sum_to_size(1, 3)
    tensor([[2., 2., 2.]])
    """
    if not size:
        return input.sum()
    shape = tuple(input.shape)
    lead = len(shape) - len(size)
    if lead < 0 or any(n not in (1, m) for n, m in zip(size, shape[lead:], strict=True)):
        raise RuntimeError(f"size {list(size)} is not expandable to size {list(shape)}.")
    dims = [d for d, n in enumerate(shape) if d < lead or (size[d - lead] == 1 and n != 1)]
    if not dims:
        return input
    return input.sum(dims, keepdim=True).reshape(size)


# --- the indices of elements ----------------------------------------------------------------------


@composite(method=False, out=False)
def unravel_index(indices: Tensor, shape: int | Ints) -> tuple[Tensor, ...]:
    """The index in each dimension of elements of a tensor of this shape, counted through.

    Raises:
        ValueError: a size is negative. TypeError: ``indices`` are no whole numbers.

    >>> import devgrad
    >>> devgrad.unravel_index(devgrad.tensor(5), (2, 3))
    (tensor(1), tensor(2))
    """
    kind = indices._type.dtype
    if kind.category != 1:
        raise ValueError(f"expected 'indices' to be integer dtype, but got {kind}")
    sizes = [shape] if isinstance(shape, int) else list(shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {tuple(sizes)}")
    indices = indices.long()
    found = []
    step = 1
    for n in reversed(sizes):
        found.append(indices.div(step, rounding_mode="floor") % n)
        step *= n
    return tuple(reversed(found))


@op(name="nonzero_static", function=False, method=False)
def _nonzero_static(xp: Any, input: Array, size: int, fill_value: int) -> Array:
    places = xp.stack([*input.nonzero()], axis=1) if input.ndim else (
        xp.zeros((int(input != 0), 0), "int64")
    )  # fmt: skip
    result = xp.full((size, input.ndim), fill_value, "int64")
    count = min(size, len(places))
    result[:count] = places[:count]
    return result


@composite
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """As ``nonzero``, but always ``size`` rows: cut off, or filled up with ``fill_value``.

    >>> import devgrad
    >>> devgrad.nonzero_static(devgrad.tensor([0, 3, 0, 4]), size=3)
    tensor([[ 1],
            [ 3],
            [-1]])
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer, got {size}")
    result: Tensor = _nonzero_static.function(input, size, fill_value)
    return result


@composite(inplace=True)
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
    include_self: bool = True,
) -> Tensor:  # fmt: skip
    """A copy of ``input`` whose slices at ``index`` along ``dim`` are reduced with ``source``'s.

    Args:
        index: 1-dimensional, as long as ``source`` is along ``dim``.
        reduce: ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: whether what is there already takes part.

    Raises:
        RuntimeError: no such reduction, or shapes that do not fit.

    >>> import devgrad
    >>> i = devgrad.tensor([0, 0])
    >>> devgrad.index_reduce(devgrad.ones(2), 0, i, devgrad.tensor([3.0, 5.0]), "amax")
    tensor([5., 1.])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    if index.ndim > 1:
        raise RuntimeError(f"index_reduce_(): Index is supposed to be a vector, got {index.ndim}-d")
    if not input.ndim:
        return index_reduce(
            input.reshape(1), 0, index.reshape(-1), source.reshape(-1), reduce,
            include_self=include_self,
        ).reshape(())  # fmt: skip
    d = dim % input.ndim
    places = index.reshape([-1 if k == d else 1 for k in range(source.ndim)]).expand(source.shape)
    result: Tensor = FUNCTIONS[""]["scatter_reduce"](
        input, d, places.long(), source, reduce, include_self=include_self
    )
    return result
