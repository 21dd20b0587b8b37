"""``einsum``: sums of products by Einstein's convention, as products of matrices."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ._arguments import wrong_argument
from ._errors import describe
from ._op import composite
from ._promotion import checked_tensors, same_device
from .arithmetic import mul
from .matmul import bmm, mm
from .transposing import permute
from .views import reshape, view

__all__ = ["einsum"]


def _sublists(args: Any) -> tuple[str, list[Tensor]]:
    """NumPy's other way to call it, ``einsum(a, [0, 1], b, [1, 2], [0, 2])``, as an equation."""

    def letters(indices: Any) -> str:
        return "".join(
            "..." if i is Ellipsis else chr(ord("A") + i) if i < 26 else chr(ord("a") + i - 26)
            for i in indices
        )

    operands, inputs, rest = [], [], list(args)
    while len(rest) >= 2:
        operands.append(rest.pop(0))
        inputs.append(letters(rest.pop(0)))
    return ",".join(inputs) + (f"->{letters(rest[0])}" if rest else ""), operands


def _subscripts(equation: str, operands: list[Tensor]) -> tuple[list[list[str]], list[str]]:
    """The indices of each operand and of the result; ``...`` is spelled out as ``.0``, ``.1``, …"""
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        more = "fewer" if len(terms) > len(operands) else "more"
        raise RuntimeError(
            f"einsum(): {more} operands were provided than specified in the equation"
        )
    found: list[list[str]] = []
    for position, (term, x) in enumerate(zip(terms, operands, strict=True)):
        found.append(_indices(term, x._array.ndim, position))
    dots = max((sum(1 for i in labels if i[0] == ".") for labels in found), default=0)
    all_dots = [f".{i}" for i in range(dots)]
    for labels in found:  # broadcasting aligns them at the end
        own = [i for i in labels if i[0] == "."]
        for i, new in zip(own, all_dots[dots - len(own) :], strict=True):
            labels[labels.index(i)] = f"{new}#"
        labels[:] = [i.rstrip("#") for i in labels]
    if arrow:
        output: list[str] = []
        for part in [*right.replace("...", ".")]:
            if part == ".":
                output += all_dots
                continue
            if part in output:
                raise RuntimeError(
                    f"einsum(): output subscript {part} appears more than once in the output"
                )
            if not any(part in labels for labels in found):
                raise RuntimeError(
                    f"einsum(): output subscript {part} does not appear in the equation for any "
                    "input operand"
                )
            output.append(part)
    else:
        letters = [i for labels in found for i in labels if i[0] != "."]
        output = all_dots + sorted(i for i in set(letters) if letters.count(i) == 1)
    return found, output


def _indices(term: str, ndim: int, position: int) -> list[str]:
    before, dots, after = term.partition("...")
    for letter in before + after:
        if not (letter.isascii() and letter.isalpha()):
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {term.index(letter)} in the equation "
                f"string, subscripts must be in [a-zA-Z]: {letter!r}"
            )
    named = len(before) + len(after)
    if named > ndim or (not dots and named < ndim):
        also = "" if dots else " and no ellipsis was given"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({named}) "
            f"{'is more than' if dots else 'does not match'} the number of dimensions ({ndim}) for "
            f"operand {position}{also}"
        )
    return [*before, *[f".{i}" for i in range(ndim - named)], *after]


def _without_repeats(x: Tensor, labels: list[str], position: int) -> tuple[Tensor, list[str]]:
    """``ii`` as a diagonal."""
    labels = list(labels)
    for label in list(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x._array.shape[i] != x._array.shape[j]:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {position} but the "
                    f"sizes don't match, {x._array.shape[j]} != {x._array.shape[i]}"
                )
            x = x.diagonal(0, i, j)
            labels = [k for d, k in enumerate(labels) if d not in (i, j)] + [label]
    return x, labels


def _contract(
    a: Tensor, of_a: list[str], b: Tensor, of_b: list[str], keep: set[str]
) -> tuple[Tensor, list[str]]:
    """Two operands as one: indices that are in both and not needed any more are summed over."""
    size_a = dict(zip(of_a, a._array.shape, strict=True))
    size_b = dict(zip(of_b, b._array.shape, strict=True))
    for x, sizes, other in ((0, size_a, size_b), (1, size_b, size_a)):
        # What only one has, or has at full size, and nobody needs, is summed at once.
        gone = [i for i in sizes if i not in keep and (i not in other or other[i] == 1 != sizes[i])]
        if gone:
            if x == 0:
                a = a.sum([of_a.index(i) for i in gone])
                of_a = [i for i in of_a if i not in gone]
            else:
                b = b.sum([of_b.index(i) for i in gone])
                of_b = [i for i in of_b if i not in gone]
            for i in gone:
                del sizes[i]
    # An index of size 1 against a larger one is broadcast: as if only the larger had it.
    for i in [i for i in of_a if i in size_b and size_a[i] != size_b[i]]:
        if size_a[i] == 1:
            a, of_a = a.squeeze(of_a.index(i)), [k for k in of_a if k != i]
            del size_a[i]
        else:
            b, of_b = b.squeeze(of_b.index(i)), [k for k in of_b if k != i]
            del size_b[i]
    batch = [i for i in of_a if i in size_b and i in keep]
    summed = [i for i in of_a if i in size_b and i not in keep]
    # (An index that a size of 1 was dropped from may be needed no longer: sum it in the end.)
    only_a = [i for i in of_a if i not in size_b]
    only_b = [i for i in of_b if i not in size_a]

    def volume(indices: list[str], sizes: dict[str, int]) -> int:
        n = 1
        for i in indices:
            n *= sizes[i]
        return n

    order_a, order_b = [*batch, *only_a, *summed], [*batch, *summed, *only_b]
    left = a if order_a == of_a else permute.function(a, tuple(of_a.index(i) for i in order_a))
    right = b if order_b == of_b else permute.function(b, tuple(of_b.index(i) for i in order_b))
    n, rows = volume(batch, size_a), volume(only_a, size_a)
    inside, columns = volume(summed, size_a), volume(only_b, size_b)
    shape = [size_a[i] for i in (*batch, *only_a)] + [size_b[i] for i in only_b]
    if not summed:
        ones = [1] * len(only_b)
        left = reshape(left, [size_a[i] for i in order_a] + ones)
        right = reshape(right, shape[: len(batch)] + [1] * len(only_a) + shape[len(order_a) :])
        return mul.function(left, right), [*batch, *only_a, *only_b]
    if batch:
        left, right = reshape(left, (n, rows, inside)), reshape(right, (n, inside, columns))
        product = bmm.function(left, right)
    else:
        product = mm.function(reshape(left, (rows, inside)), reshape(right, (inside, columns)))
    return view(product, tuple(shape)), [*batch, *only_a, *only_b]


@composite(method=False, out=False)
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products, by Einstein's convention: ``einsum("ij,jk->ik", a, b)``.

    Args:
        equation: an index for each dimension of each operand; what comes after ``->`` stays, the
            other indices are summed over. ``...`` stands for dimensions that are broadcast.
            Without ``->``, indices that appear once stay, in alphabetical order. Operands are
            contracted from left to right.

    Raises:
        RuntimeError: the equation does not fit the operands.

    >>> import devgrad
    >>> devgrad.einsum("ii", devgrad.eye(3))
    tensor(3.)
    """
    if isinstance(equation, Tensor):
        equation, listed = _sublists((equation, *operands))
        operands = tuple(listed)
    elif len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    if not isinstance(equation, str):
        raise wrong_argument("einsum", "equation", 1, "str", equation)
    tensors: list[Any] = list(checked_tensors(operands, 1))
    given = ", ".join(describe(t) for t in tensors)
    if not tensors:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    same_device(tensors, "einsum")
    labels, output = _subscripts(equation, tensors)
    sizes: dict[str, int] = {}
    for position, (x, own) in enumerate(zip(tensors, labels, strict=True)):
        tensors[position], labels[position] = _without_repeats(x, own, position)
        for label, n in zip(labels[position], tensors[position]._array.shape, strict=True):
            seen = sizes.get(label, 1)
            if n not in (1, seen) and seen != 1:
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {n} for operand {position} which does "
                    f"not broadcast with previously seen size {seen}. The operands are {given}"
                )
            sizes[label] = n if seen == 1 else seen
    result, have = tensors[0], labels[0]
    for position in range(1, len(tensors)):
        later = {i for own in labels[position + 1 :] for i in own}
        result, have = _contract(
            result, have, tensors[position], labels[position], later | set(output)
        )
    gone = [d for d, i in enumerate(have) if i not in output]
    if gone:
        result = result.sum(gone)
        have = [i for i in have if i in output]
    wanted = tuple(have.index(i) for i in output)
    if wanted != tuple(range(len(wanted))) or result is tensors[0]:
        result = permute.function(result, wanted)
    return result
