"""Products summed over dimensions of any place; Kronecker products; chains of matrices."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._layout import as_dim
from ._op import composite
from ._promotion import same_device
from .arithmetic import mul
from .matmul import mm
from .transposing import permute
from .views import reshape, unsafe_view, unsqueeze, view

__all__ = ["inner", "kron", "multi_dot", "tensordot"]


@composite
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Products summed over the last dimension of both.

    Raises:
        RuntimeError: the last dimensions differ.

    >>> import devgrad
    >>> devgrad.inner(devgrad.tensor([1, 2, 3]), devgrad.tensor([0, 2, 1]))
    tensor(7)
    """
    a, b = input._array.shape, other._array.shape
    if not a or not b:
        return mul.function(input, other)
    if a[-1] != b[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(a)} and {list(b)}"
        )
    return tensordot(input, other, ([-1], [-1]))


@composite(method=False)
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Products summed over several dimensions of both.

    Args:
        dims: how many: the last of ``a`` and the first of ``b``; or two lists of dimensions.

    Raises:
        RuntimeError: sizes differ, or the lists have different lengths.

    >>> import devgrad
    >>> devgrad.tensordot(devgrad.ones(2, 3), devgrad.ones(3, 2), 1)
    tensor([[3., 3.],
            [3., 3.]])
    """
    n, m = a._array.ndim, b._array.ndim
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(n, m):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        first, second = list(range(n - dims, n)), list(range(dims))
    else:
        first, second = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(first) != len(second):
        raise RuntimeError("both dimension lists should have same length")
    p, q = [as_dim(d, n) for d in first], [as_dim(d, m) for d in second]
    for dims_of, name in ((p, "a"), (q, "b")):
        if len(set(dims_of)) != len(dims_of):
            raise RuntimeError(f"a dimension of {name} appears multiple times in the list of dims")
    inner_size = 1
    for i, j, d, e in zip(p, q, first, second, strict=True):
        x, y = a._array.shape[i], b._array.shape[j]
        if x == 1 and y != 1:  # a single element stands for as many as there are on the other side
            b, x, y = b.sum(j, keepdim=True, dtype=b.dtype), 1, 1
        elif y == 1 and x != 1:
            a, x, y = a.sum(i, keepdim=True, dtype=a.dtype), 1, 1
        if x != y:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {x} in dim {d} and "
                f"second has size {y} in dim {e}"
            )
        inner_size *= x
    rest_a = [d for d in range(n) if d not in p]
    rest_b = [d for d in range(m) if d not in q]
    shape = [a._array.shape[d] for d in rest_a] + [b._array.shape[d] for d in rest_b]
    rows = columns = 1
    for d in rest_a:
        rows *= a._array.shape[d]
    for d in rest_b:
        columns *= b._array.shape[d]
    left = reshape(permute.function(a, (*rest_a, *p)), (rows, inner_size))
    right = reshape(permute.function(b, (*q, *rest_b)), (inner_size, columns))
    return view(mm.function(left, right), tuple(shape))


@composite
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: every element of ``input`` times the whole of ``other``.

    >>> import devgrad
    >>> devgrad.kron(devgrad.tensor([1, 2]), devgrad.tensor([1, 1]))
    tensor([1, 1, 2, 2])
    """
    a, b = input._array.shape, other._array.shape
    n = max(len(a), len(b))
    a, b = (1,) * (n - len(a)) + a, (1,) * (n - len(b)) + b
    first = reshape(input, [x for size in a for x in (size, 1)])
    second = reshape(other, [x for size in b for x in (1, size)])
    shape = tuple([x * y for x, y in zip(a, b, strict=True)])
    return unsafe_view.function(mul.function(first, second), shape)


def _cheapest(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to cut each chain of matrices i..j so that the fewest multiplications are done."""
    n = len(sizes) - 1
    cost = {(i, i): 0 for i in range(n)}
    cut: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], cut[i, j] = min(options)
    return cut


def _chain(matrices: list[Tensor]) -> Tensor:
    cut = _cheapest([matrices[0]._array.shape[0], *[m._array.shape[1] for m in matrices]])

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return matrices[i]
        k = cut[i, j]
        return mm.function(product(i, k), product(k + 1, j))

    return product(0, len(matrices) - 1)


@composite(method=False, namespaces=("linalg",))
def multi_dot(tensors: Any) -> Tensor:
    """The product of several matrices, in the order that takes the fewest multiplications.

    Args:
        tensors: two or more; the first and the last may be vectors.

    Raises:
        RuntimeError: there are fewer, or they do not fit together.

    >>> import devgrad
    >>> devgrad.linalg.multi_dot([devgrad.ones(2, 3), devgrad.ones(3, 4), devgrad.ones(4)])
    tensor([12., 12.])
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    same_device(tensors, "multi_dot")
    row, column = tensors[0]._array.ndim == 1, tensors[-1]._array.ndim == 1
    if row:
        tensors[0] = unsqueeze.function(tensors[0], 0)
    if column:
        tensors[-1] = unsqueeze.function(tensors[-1], -1)
    for position, x in enumerate(tensors):
        if x._array.ndim != 2:
            ends = position in (0, len(tensors) - 1)
            what = ("first" if position == 0 else "last") if ends else str(position)
            raise RuntimeError(
                f"multi_dot(): the {what} tensor must be {'1D or ' if ends else ''}2D but got "
                f"{x._array.ndim}D"
            )
    for position, (x, y) in enumerate(zip(tensors, tensors[1:], strict=False)):
        if x._array.shape[1] != y._array.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {position} and {position + 1} with shapes {list(x.shape)} "
                f"and {list(y.shape)} cannot be multiplied"
            )
    product = _chain(tensors)
    shape = product._array.shape[int(row) : 2 - int(column)]
    return view(product, shape)


@composite(method=False)
def chain_matmul(*matrices: Any) -> Tensor:
    """The product of several matrices, in the order that takes the fewest multiplications.

    PyTorch calls it deprecated in favour of ``linalg.multi_dot``.

    >>> import devgrad
    >>> devgrad.chain_matmul(devgrad.ones(1, 2), devgrad.ones(2, 1))
    tensor([[2.]])
    """
    if len(matrices) == 1 and isinstance(matrices[0], (tuple, list)):
        matrices = tuple(matrices[0])
    for x in matrices:
        if x._array.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {x._array.ndim}, expected 2 instead.")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)
