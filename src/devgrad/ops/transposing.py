"""Views with the dimensions in another order."""

from __future__ import annotations

import warnings
from typing import Any

from .._tensor import Tensor
from ._layout import as_dim
from ._op import METHODS, Array, Ints, composite, op

__all__ = ["movedim", "permute", "t", "transpose"]


def _inverse(dims: Any) -> tuple[int, ...]:
    inverse = [0] * len(dims)
    for position, d in enumerate(dims):
        inverse[d] = position
    return tuple(inverse)


@op(view=True, varargs=True)
def permute(xp: Any, input: Array, dims: Ints) -> Array:
    """A view with the dimensions in another order.

    Raises:
        RuntimeError: ``dims`` does not name each dimension once.

    >>> import devgrad
    >>> devgrad.permute(devgrad.zeros(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    try:
        return input.transpose(dims)
    except ValueError:
        if len(dims) != input.ndim:
            raise RuntimeError(
                "permute(sparse_coo): number of dimensions in the tensor input does not match the "
                "length of the desired ordering of dimensions i.e. input.dim() = "
                f"{input.ndim} is not equal to len(dims) = {len(dims)}"
            ) from None
        for d in dims:
            as_dim(d, input.ndim)
        raise RuntimeError("permute(): duplicate dims are not allowed.") from None


permute.vjp(input=lambda g, dims: permute(g, _inverse(dims)))


@op(view=True, aliases=("swapaxes", "swapdims"))
def transpose(xp: Any, input: Array, dim0: int, dim1: int) -> Array:
    """A view with two dimensions swapped.

    Raises:
        IndexError: there is no such dimension.

    >>> import devgrad
    >>> devgrad.transpose(devgrad.zeros(2, 3), 0, 1).shape
    torch.Size([3, 2])
    """
    try:
        return input.swapaxes(dim0, dim1)
    except (ValueError, IndexError):
        as_dim(dim0, input.ndim)
        as_dim(dim1, input.ndim)
        return input[...]  # a 0-dim tensor has a dimension 0 to swap with itself


transpose.vjp(input=lambda g, dim0, dim1: transpose(g, dim0, dim1))


@op(view=True)
def t(xp: Any, input: Array) -> Array:
    """The transpose of a matrix; a tensor of fewer dimensions as it is.

    Raises:
        RuntimeError: there are more than two dimensions.
    """
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input.transpose()


t.vjp(input=lambda g: t(g))


@composite(out=False, aliases=("moveaxis",))
def movedim(input: Tensor, source: int | Ints, destination: int | Ints) -> Tensor:
    """A view with dimensions moved to other places; the others keep their order.

    Args:
        source, destination: an int each, or tuples of as many ints.

    Raises:
        RuntimeError: they are not of one length, or name a dimension twice.

    >>> import devgrad
    >>> devgrad.movedim(devgrad.zeros(2, 3, 4), 0, -1).shape
    torch.Size([3, 4, 2])
    """
    source = (source,) if isinstance(source, int) else tuple(source)
    destination = (destination,) if isinstance(destination, int) else tuple(destination)
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should "
            f"contain the same number of dims as destination ({list(destination)} dims)"
        )
    n = input._array.ndim
    given = {"source": source, "destination": destination}
    for name, dims in given.items():
        given[name] = wrapped = tuple(as_dim(d, n) for d in dims)
        if len(set(wrapped)) != len(wrapped):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(dims)})")
    if not n:
        return input
    rest = iter([d for d in range(n) if d not in given["source"]])
    moved = dict(zip(given["destination"], given["source"], strict=True))
    order = tuple([moved[d] if d in moved else next(rest) for d in range(n)])
    return permute.function(input, order)


@composite(out=False)
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions swapped, and conjugated.

    Raises:
        RuntimeError: there are fewer than two dimensions.
    """
    if input._array.ndim < 2:
        raise RuntimeError(
            "tensor.adjoint() is only supported on matrices or batches of matrices. Got "
            f"{input._array.ndim}-D tensor."
        )
    swapped = transpose.function(input, -2, -1)
    return swapped.conj() if input._type.dtype.is_complex else swapped


def _T(self: Tensor) -> Tensor:
    """A view with the dimensions in reverse order."""
    n = self._array.ndim
    if n != 2:
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and it will throw an error in a future release. Consider `x.mT` to "
            "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to "
            "reverse the dimensions of a tensor.",
            UserWarning,
            stacklevel=2,
        )
    return permute.function(self, tuple(range(n - 1, -1, -1)))


def _mT(self: Tensor) -> Tensor:
    """A view with the last two dimensions swapped."""
    if self._array.ndim < 2:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{self._array.ndim}-D tensor."
        )
    return transpose.function(self, -2, -1)


def _H(self: Tensor) -> Tensor:
    """The conjugate transpose of a matrix."""
    n = self._array.ndim
    if n not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {n}-D tensor."
            + (" For batches of matrices, consider using tensor.mH" if n > 2 else "")
        )
    swapped = transpose.function(self, 0, 1) if n else self
    return swapped.conj() if self._type.dtype.is_complex else swapped


def _mH(self: Tensor) -> Tensor:
    """The last two dimensions swapped, and conjugated."""
    if self._array.ndim < 2:
        raise RuntimeError(
            "tensor.mH is only supported on matrices or batches of matrices. Got "
            f"{self._array.ndim}-D tensor."
        )
    return adjoint(self)


METHODS.update(T=property(_T), mT=property(_mT), H=property(_H), mH=property(_mH))
