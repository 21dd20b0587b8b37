"""What the operations on matrices share: their checks, and small words that their rules are
written with. Matrices are the last two dimensions; those in front are the batch.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..device import device_of_array, dtype_of_array
from ._along import check_tensor
from ._formula import conj
from ._op import Array, op
from .pieces import diagonal
from .shaping import diag_embed

__all__ = ["H", "LinAlgError", "check_batched", "check_floating", "check_kernel", "check_matrices",
           "check_same_dtype", "check_solvable", "check_square", "diagonal_of",
           "first_failure", "identity", "inner_columns", "no_derivative", "plus_identity",
           "same_batch", "with_diagonal"]  # fmt: skip


class LinAlgError(RuntimeError):
    """A matrix has no such decomposition or inverse, or it was not found.

    >>> import devgrad
    >>> try:
    ...     devgrad.linalg.inv(devgrad.zeros(2, 2))
    ... except devgrad.linalg.LinAlgError as error:
    ...     print(str(error).partition(",")[0])
    linalg.inv: The diagonal element 1 is zero
    """


LinAlgError.__module__ = "devgrad.linalg"


# --- checks ---------------------------------------------------------------------------------------


def _given(x: Tensor) -> str:
    return f"It was given {x._type.dtype.name} of shape {list(x._array.shape)}"


def check_matrices(name: str, A: Any, argument: str = "A") -> None:
    """Refuse what is no tensor, or has fewer than two dimensions.

    Raises:
        TypeError, RuntimeError: so it is.
    """
    check_tensor(name.replace("linalg.", "linalg_"), A)
    if A._array.ndim < 2:
        raise RuntimeError(
            f"{name}: The input tensor {argument} must have at least 2 dimensions. {_given(A)}"
        )


def check_square(name: str, A: Any) -> None:
    """Refuse what is no matrix, or not square.

    Raises:
        TypeError, RuntimeError: so it is.
    """
    check_matrices(name, A)
    m, n = A._array.shape[-2:]
    if m != n:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {m} by {n} matrices"
        )


def check_batched(name: str, A: Any) -> None:
    """`check_matrices` in the words of ``lu`` and ``geqrf``.

    Raises:
        TypeError, RuntimeError: it is no tensor of at least two dimensions.
    """
    check_tensor(name, A)
    if A._array.ndim < 2:
        raise RuntimeError(
            f"{name}: Expected tensor with 2 or more dimensions. Got size: "
            f"{list(A._array.shape)} instead"
        )


def check_floating(name: str, A: Tensor, half: bool = False) -> None:
    """Refuse what is neither floating point nor complex; float16 too, unless ``half``.

    Raises:
        RuntimeError: so it is.
    """
    dtype = A._type.dtype
    if dtype.category < 2:
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {dtype.title}. "
            "Convert it first: x.float()"
        )
    if not half and dtype.itemsize == 2:
        raise RuntimeError(
            f"{name}: Low precision dtypes not supported. Got {dtype.title}. Convert it first: "
            "x.float()"
        )


def check_kernel(kernel: str, a: Array) -> None:
    """Refuse, in a forward, dtypes that LAPACK has not.

    Raises:
        NotImplementedError: it is integer, bool or float16.
    """
    if a.dtype.kind in "biu" or a.dtype.itemsize == 2:
        device, dtype = device_of_array(a), dtype_of_array(a)
        where = "cpu" if device is None else device.type
        title = a.dtype.name if dtype is None else dtype.title
        raise NotImplementedError(
            f"\"{kernel}_{where}\" not implemented for '{title}'. Convert the tensor first, for "
            "example with x.float()"
        )


def check_same_dtype(name: str, A: Tensor, B: Tensor, names: tuple[str, str] = ("A", "B")) -> None:
    """Refuse operands of two dtypes.

    Raises:
        RuntimeError: so they are.
    """
    if A._type.dtype is not B._type.dtype:
        raise RuntimeError(
            f"{name}: Expected {names[0]} and {names[1]} to have the same dtype, but found "
            f"{names[0]} of type {A._type.dtype.title} and {names[1]} of type "
            f"{B._type.dtype.title} instead. Convert one of them: x.to(y.dtype)"
        )


def check_solvable(name: str, A: Tensor, B: Tensor, left: bool) -> None:
    """Refuse matrices that no equation ``AX = B``, or ``XA = B``, can be made of.

    Raises:
        RuntimeError: so they are.
    """
    a, b = A._array.shape, B._array.shape
    if a[-2] != b[-2 if left else -1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({a[-2]}x{a[-1]} and {b[-2]}x{b[-1]})"
        )


def first_failure(info: Any) -> tuple[str, int]:
    """Of infos not all zero: the words for the batch element, and the number, of the first."""
    if not info.ndim:
        return "", int(info)
    flat = info.reshape(-1)
    position = int((flat != 0).argmax())
    return f"(Batch element {position}): ", int(flat[position])


# --- words for rules, on arrays and on tensors -------------------------------------------------


def H(x: Any) -> Any:
    """The conjugate transpose."""
    return conj(x).swapaxes(-2, -1)


def no_derivative(name: str) -> Any:
    """A rule for what PyTorch has no derivative of either: it says so."""

    def rule(g: Any) -> Any:
        raise NotImplementedError(
            f"derivative for aten::{name} is not implemented. detach() its result where none is "
            "wanted"
        )

    return rule


def diagonal_of(x: Any) -> Any:
    """The diagonals."""
    return diagonal(x, 0, -2, -1)


def with_diagonal(x: Any) -> Any:
    """Zeros, with ``x`` on the diagonal."""
    return diag_embed(x)


def inner_columns(x: Any, y: Any) -> Any:
    """``x^H y``."""
    return H(x) @ y


@op(function=False, method=False)
def plus_identity(xp: Any, input: Array) -> Array:
    """Square matrices with 1 added to the diagonal."""
    return input + xp.eye(input.shape[-1], dtype=input.dtype)


plus_identity.vjp(input=lambda g: g)


@op(function=False, method=False)
def identity(xp: Any, input: Array) -> Array:
    """The identity matrix for each of the square matrices given; it does not depend on them."""
    return xp.zeros(input.shape, input.dtype) + xp.eye(input.shape[-1], dtype=input.dtype)


identity.vjp(input=None)


def same_batch(xp: Any, *arrays: Any) -> list[Any]:
    """The arrays, expanded to one batch."""
    batch = xp.broadcast_shapes(*[a.shape[:-2] for a in arrays])
    return [
        a if a.shape[:-2] == batch else xp.broadcast_to(a, (*batch, *a.shape[-2:])) for a in arrays
    ]
