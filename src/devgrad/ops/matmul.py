"""Products of matrices and vectors.

The dtypes of operands have to be equal, as in PyTorch: nothing is promoted.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..device import DTYPES
from ._errors import broadcast_mismatch
from ._formula import conj
from ._inplace import write_into
from ._op import METHODS, Array, Number, composite, op
from ._promotion import operand_fallback
from .arithmetic import add, mul
from .transposing import transpose
from .views import broadcast_shapes, reshape, unsafe_view, unsqueeze, view

__all__ = ["bmm", "dot", "matmul", "mm", "mv"]


def _by(shape: Any) -> str:
    return "x".join(map(str, shape))


_C_NAMES = {"f2": "c10::Half", "f4": "float", "f8": "double", "c8": "c10::complex<float>", "c16":
            "c10::complex<double>", "i1": "signed char", "i2": "short int", "i4": "int", "i8":
            "long int", "u1": "unsigned char", "b1": "bool"}  # fmt: skip


def _one_dtype(phrase: str, *operands: Array, c_names: bool = False) -> None:
    """Refuse operands of several dtypes, by a phrase with a place for the name of each; and bools.

    Raises:
        RuntimeError, NotImplementedError: they are such.
    """
    first = operands[0].dtype
    if any(x.dtype != first for x in operands):
        names = [
            _C_NAMES.get(x.dtype.str[1:], x.dtype.name) if c_names else DTYPES[x.dtype.name].title
            for x in operands
        ]
        raise RuntimeError(f"{phrase.format(*names)}. Convert one: x.to(y.dtype)")
    if first.kind == "b":
        raise NotImplementedError("\"addmm_impl_cpu_\" not implemented for 'Bool'")


_OF_MM = "expected m1 and m2 to have the same dtype, but got: {} != {}"
_OF_MV = "addmv input tensors must have the same dtype, but got {}, {}, and {}"
_OF_BATCHES = "expected scalar type {} but found {}"


# --- matrices and vectors -------------------------------------------------------------------------


@op
def mm(xp: Any, input: Array, mat2: Array) -> Array:
    """The product of two matrices.

    Args:
        input: n×m. mat2: m×p, of the same dtype.

    Returns:
        n×p.

    Raises:
        RuntimeError: they are no matrices, or do not fit together.

    >>> import devgrad
    >>> devgrad.mm(devgrad.tensor([[1.0, 2.0]]), devgrad.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    if input.ndim != 2:
        raise RuntimeError(f"self must be a matrix: mm() was given one of shape {input.shape}")
    if mat2.ndim != 2:
        raise RuntimeError(f"mat2 must be a matrix: mm() was given one of shape {mat2.shape}")
    if input.shape[1] != mat2.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_by(input.shape)} and {_by(mat2.shape)})"
        )
    if input.dtype is not mat2.dtype or input.dtype.kind == "b":
        _one_dtype(_OF_MM, input, mat2, c_names=True)
    return xp.dot(input, mat2)


# `.T` of a matrix and `@` mean the same on arrays and tensors, and are quicker than operations.
mm.vjp(
    input=lambda g, mat2: g @ conj(mat2).T,
    mat2=lambda g, input: conj(input).T @ g,
)


@op(function=False, method=False, node="MulBackward0")
def outer_product(xp: Any, input: Array, vec2: Array) -> Array:
    """Every product of an element of one vector and one of another."""
    return xp.multiply(input[:, None], vec2[None, :])


@op
def mv(xp: Any, input: Array, vec: Array) -> Array:
    """The product of a matrix n×m and a vector of m elements.

    Raises:
        RuntimeError: they are no such things.
    """
    if input.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input.ndim}, {vec.ndim}")
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({input.shape[0]}), mat ({_by(input.shape)}), vec "
            f"({vec.shape[0]})"
        )
    if input.dtype is not vec.dtype or input.dtype.kind == "b":
        _one_dtype(_OF_MV, vec, input, vec)
    return xp.dot(input, vec)


mv.vjp(
    input=lambda g, vec: outer_product(g, conj(vec)),
    vec=lambda g, input: mv(conj(input).T, g),
)


outer_product.vjp(
    input=lambda g, vec2: mv(g, conj(vec2)), vec2=lambda g, input: mv(g.T, conj(input))
)


def _two_vectors(name: str, a: Array, b: Array) -> None:
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.dtype != b.dtype:
        first, second = (DTYPES[x.dtype.name].title for x in (a, b))
        raise RuntimeError(
            f"{name} : expected both vectors to have same dtype, but found {first} and {second}"
        )
    if a.shape != b.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a.shape[0]}] and src [{b.shape[0]}] to "
            f"have the same number of elements, but got {a.shape[0]} and {b.shape[0]} elements "
            "respectively"
        )
    if a.dtype.kind == "b":
        raise NotImplementedError("\"dot\" not implemented for 'Bool'")


@op
def dot(xp: Any, input: Array, tensor: Array) -> Array:
    """The product of two vectors, 0-dim. Complex ones are not conjugated: see `vdot`.

    Raises:
        RuntimeError: they are no vectors of one length and dtype.

    >>> import devgrad
    >>> devgrad.dot(devgrad.tensor([1.0, 2.0]), devgrad.tensor([3.0, 4.0]))
    tensor(11.)
    """
    _two_vectors("dot", input, tensor)
    return xp.dot(input, tensor)


dot.vjp(input=lambda g, tensor: g * conj(tensor), tensor=lambda g, input: g * conj(input))


@op
def vdot(xp: Any, input: Array, other: Array) -> Array:
    """The product of two vectors, the first conjugated."""
    _two_vectors("vdot", input, other)
    return xp.dot(conj(input), other)


vdot.vjp(input=lambda g, other: conj(g) * other, other=lambda g, input: g * input)


@composite(aliases=("ger",))
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Every product of an element of one vector and one of another, as a matrix.

    Raises:
        RuntimeError: they are no vectors.

    >>> import devgrad
    >>> devgrad.outer(devgrad.tensor([1, 2]), devgrad.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    for name, x in (("self", input), ("vec2", vec2)):
        if x._array.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x._array.ndim}-D")
    return mul.function(view(input, (-1, 1)), vec2)


# --- batches --------------------------------------------------------------------------------------


def _check_batches(a: Array, b: Array) -> None:
    for name, x in (("batch1", a), ("batch2", b)):
        if x.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor: it has shape {x.shape}")
    if b.shape[:2] != (a.shape[0], a.shape[2]):
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{a.shape[0]}, "
            f"{a.shape[2]}] but got: [{b.shape[0]}, {b.shape[1]}]."
        )
    _one_dtype(_OF_BATCHES, a, b)


@op
def bmm(xp: Any, input: Array, mat2: Array) -> Array:
    """The products of two batches of as many matrices: b×n×m and b×m×p give b×n×p.

    Raises:
        RuntimeError: they have other shapes.
    """
    _check_batches(input, mat2)
    return xp.matmul(input, mat2)


bmm.vjp(
    input=lambda g, mat2: bmm(g, transpose(conj(mat2), 1, 2)),
    mat2=lambda g, input: bmm(transpose(conj(input), 1, 2), g),
)


@op(name="_matmul_rows", node="UnsafeViewBackward0", function=False, method=False)
def _rows(xp: Any, input: Array, other: Array) -> Array:
    """Any number of dimensions by a matrix: one product of matrices."""
    *front, m = input.shape
    if m != other.shape[0]:
        rows = 1
        for n in front:
            rows *= n
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({rows}x{m} and {_by(other.shape)})"
        )
    _one_dtype(_OF_MM, input, other, c_names=True)
    if not input.size:
        return xp.zeros((*front, other.shape[1]), input.dtype)
    return xp.dot(input.reshape((-1, m)), other).reshape((*front, other.shape[1]))


def _flat_product(input: Any, g: Any) -> Any:
    """The sum over all rows of the outer product of a row of ``input`` and one of ``g``."""
    n = 1
    for size in g.shape[:-1]:
        n *= size
    return conj(input).reshape((n, input.shape[-1])).T @ g.reshape((n, g.shape[-1]))


_rows.vjp(
    input=lambda g, other: _rows(g, conj(other).T),
    other=lambda g, input: _flat_product(input, g),
)


@op(name="_matmul_batches", node="UnsafeViewBackward0", function=False, method=False)
def _batches(xp: Any, input: Array, other: Array) -> Array:
    """Batches of matrices; the dimensions in front of the last two are broadcast."""
    a, b = input.shape, other.shape
    problem = broadcast_mismatch(a[:-2], b[:-2])
    if problem:
        raise RuntimeError(f"{problem}. matmul() was given batches of shapes {a[:-2]} and {b[:-2]}")
    if a[-1] != b[-2]:
        batch = 1
        for n in broadcast_shapes(a[:-2], b[:-2]):
            batch *= n
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{batch}, {a[-1]}] "
            f"but got: [{batch}, {b[-2]}]."
        )
    _one_dtype(_OF_BATCHES, input, other)
    return xp.matmul(input, other)


_batches.vjp(
    input=lambda g, other: _batches(g, transpose(conj(other), -2, -1)),
    other=lambda g, input: _batches(transpose(conj(input), -2, -1), g),
)


@op(function=False, method=False, node="SqueezeBackward4")
def _only_row(xp: Any, input: Array) -> Array:
    """A matrix of one row as a vector. (The matrix is given up: it need not be a view.)"""
    return input.reshape((input.shape[1],))


_only_row.vjp(input=lambda g, input_shape: g.reshape(input_shape))


def _matmul(input: Any, other: Any) -> Any:
    if not isinstance(input, Tensor) or not isinstance(other, Tensor):
        for position, (name, x) in enumerate((("input", input), ("other", other)), 1):
            if not isinstance(x, Tensor):
                raise TypeError(
                    f"matmul(): argument '{name}' (position {position}) must be Tensor, not "
                    f"{type(x).__name__}"
                )
    a, b = input._array.ndim, other._array.ndim
    if a == 2 == b:
        return mm.function(input, other)
    if a == 0 or b == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a}D and {b}D"
        )
    if a == 1 == b:
        return dot.function(input, other)
    if a == 2 and b == 1:
        return mv.function(input, other)
    if a == 1:
        row = unsqueeze.function(input, 0)
        if b == 2:
            return _only_row.function(mm.function(row, other))
        *batch, n, columns = other._array.shape
        if n != input._array.shape[0]:
            for size in batch:
                columns *= size
            raise RuntimeError(
                f"size mismatch, got input ({columns}), mat ({columns}x{n}), vec "
                f"({input._array.shape[0]})"
            )
        product = _batches.function(row, other)
        shape = product._array.shape
        return unsafe_view.function(product, (*shape[:-2], shape[-1]))
    if b == 1:
        column = unsqueeze.function(other, 1)
        m = other._array.shape[0]
        if input._array.shape[-1] != m:
            rows = 1
            for n in input._array.shape[:-1]:
                rows *= n
            raise RuntimeError(
                f"size mismatch, got input ({rows}), mat ({rows}x{input._array.shape[-1]}), vec "
                f"({m})"
            )
        product = _rows.function(input, column)
        return unsafe_view.function(product, product._array.shape[:-1])
    return (_rows if b == 2 else _batches).function(input, other)


@composite(namespaces=("", "linalg"))
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """``input @ other``: the product of vectors, matrices or batches of matrices.

    Args:
        input, other: two vectors give a 0-dim tensor; a matrix and a vector, or a vector and a
            matrix, a vector; two matrices a matrix. With more dimensions the last two are those
            of matrices, and the ones in front are broadcast.

    Raises:
        RuntimeError: the shapes do not fit, or the dtypes differ.

    >>> import devgrad
    >>> devgrad.matmul(devgrad.tensor([[1.0, 2.0], [3.0, 4.0]]), devgrad.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    return _matmul(input, other)


class _ArrayOperands:
    """What `operand_fallback` calls with an array wrapped as a constant."""

    name = "matmul"

    def __init__(self, swapped: bool) -> None:
        self.swapped = swapped

    def function(self, a: Tensor, b: Tensor) -> Any:
        return _matmul(b, a) if self.swapped else _matmul(a, b)


def _operator(swapped: bool) -> Any:
    fallback: Any = _ArrayOperands(swapped)

    def product(self: Tensor, other: Any) -> Any:
        if isinstance(other, Tensor):
            return _matmul(other, self) if swapped else _matmul(self, other)
        if isinstance(other, (bool, int, float, complex)):
            return NotImplemented
        return operand_fallback(fallback, (self, other))

    product.__name__ = product.__qualname__ = "__rmatmul__" if swapped else "__matmul__"
    product.__doc__ = matmul.__doc__
    return product


METHODS["__matmul__"] = _operator(False)
METHODS["__rmatmul__"] = _operator(True)


# --- products added to something ------------------------------------------------------------------


def _scaled(x: Array, factor: Any) -> Array:
    return x if factor == 1 else (x * factor).astype(x.dtype)


def _plus(xp: Any, input: Array, product: Array, beta: Any, alpha: Any) -> Array:
    """``beta * input + alpha * product``; ``input`` is not looked at where beta is 0."""
    extra = product.ndim - input.ndim
    for dim, n in enumerate(input.shape):
        if extra < 0 or n not in (1, product.shape[dim + extra]):
            wanted = product.shape[dim + extra] if extra >= 0 else product.shape
            raise RuntimeError(
                f"The expanded size of the tensor ({wanted}) must match the existing size ({n}) "
                f"at non-singleton dimension {dim + extra}.  Target sizes: {list(product.shape)}.  "
                f"Tensor sizes: {list(input.shape)}"
            )
    if input.dtype is not product.dtype or input.dtype.kind == "b":
        _one_dtype("self and mat2 must have the same dtype, but got {} and {}", input, product)
    if input.dtype.kind in "iu":  # factors are cut to whole numbers, as PyTorch does
        beta, alpha = int(beta), int(alpha)
    product = _scaled(product, alpha)
    return product if beta == 0 else xp.add(_scaled(input, beta), product, out=product)


def _times(x: Any, factor: Any) -> Any:
    if factor == 1:
        return x
    return x * (factor.conjugate() if isinstance(factor, complex) else factor)


@op(inplace=True)
def addmm(
    xp: Any, input: Array, mat1: Array, mat2: Array, *, beta: Number = 1, alpha: Number = 1
) -> Array:
    """``beta * input + alpha * (mat1 @ mat2)``.

    Args:
        input: broadcasts to n×p. mat1: n×m. mat2: m×p.

    Raises:
        RuntimeError: shapes do not fit.
    """
    for name, x in (("mat1", mat1), ("mat2", mat2)):
        if x.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got {x.ndim}-D tensor")
    if not input.dtype is mat1.dtype is mat2.dtype:
        _one_dtype("self and mat2 must have the same dtype, but got {} and {}", input, mat2)
        _one_dtype("mat1 and mat2 must have the same dtype, but got {} and {}", mat1, mat2)
    return _plus(xp, input, mm.forward(xp, mat1, mat2), beta, alpha)


addmm.vjp(
    input=lambda g, beta: _times(g, beta),
    mat1=lambda g, mat2, alpha: _times(g @ conj(mat2).T, alpha),
    mat2=lambda g, mat1, alpha: _times(conj(mat1).T @ g, alpha),
)


@op(inplace=True)
def addmv(
    xp: Any, input: Array, mat: Array, vec: Array, *, beta: Number = 1, alpha: Number = 1
) -> Array:
    """``beta * input + alpha * (mat @ vec)``."""
    if (
        mat.ndim == 2
        and vec.ndim == 1
        and (mat.shape[1] != vec.shape[0] or input.shape not in ((), (1,), mat.shape[:1]))
    ):
        raise RuntimeError(
            f"size mismatch, got input ({input.size}), mat ({_by(mat.shape)}), vec ({vec.shape[0]})"
        )
    if not input.dtype is mat.dtype is vec.dtype:
        _one_dtype(_OF_MV, input, mat, vec)
    return _plus(xp, input, mv.forward(xp, mat, vec), beta, alpha)


addmv.vjp(
    input=lambda g, beta: _times(g, beta),
    mat=lambda g, vec, alpha: _times(outer_product(g, conj(vec)), alpha),
    vec=lambda g, mat, alpha: _times(mv(conj(mat).T, g), alpha),
)


@op(inplace=True)
def addr(
    xp: Any, input: Array, vec1: Array, vec2: Array, *, beta: Number = 1, alpha: Number = 1
) -> Array:
    """``beta * input + alpha * outer(vec1, vec2)``."""
    for name, x in (("vec1", vec1), ("vec2", vec2)):
        if x.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {x.ndim}-D")
    product = outer_product.forward(xp, vec1, vec2)
    if product.dtype.kind == "b" and input.dtype.kind == "b":  # or, and
        product = product & bool(alpha)
        return xp.logical_or(input, product) if beta else product
    return _plus(xp, input, product, beta, alpha)


addr.vjp(
    input=lambda g, beta: _times(g, beta),
    vec1=lambda g, vec2, alpha: _times(mv(g, conj(vec2)), alpha),
    vec2=lambda g, vec1, alpha: _times(mv(g.T, conj(vec1)), alpha),
)


@op(inplace=True)
def baddbmm(
    xp: Any, input: Array, batch1: Array, batch2: Array, *, beta: Number = 1, alpha: Number = 1
) -> Array:
    """``beta * input + alpha * bmm(batch1, batch2)``."""
    if not input.dtype is batch1.dtype is batch2.dtype:
        phrase = "Input dtypes must be the same, got: input {}, batch1: {}, batch2: {}"
        _one_dtype(phrase, input, batch1, batch2, c_names=True)
    return _plus(xp, input, bmm.forward(xp, batch1, batch2), beta, alpha)


baddbmm.vjp(
    input=lambda g, beta: _times(g, beta),
    batch1=lambda g, batch2, alpha: _times(bmm(g, transpose(conj(batch2), 1, 2)), alpha),
    batch2=lambda g, batch1, alpha: _times(bmm(transpose(conj(batch1), 1, 2), g), alpha),
)


@op(inplace=True)
def addbmm(
    xp: Any, input: Array, batch1: Array, batch2: Array, *, beta: Number = 1, alpha: Number = 1
) -> Array:
    """``beta * input + alpha * (the sum of bmm(batch1, batch2) over the batch)``."""
    _check_batches(batch1, batch2)
    # The sum of products is one product of the matrices laid side by side.
    wide = xp.swapaxes(batch1, 0, 1).reshape((batch1.shape[1], -1))
    tall = batch2.reshape((-1, batch2.shape[2]))
    return _plus(xp, input, xp.dot(wide, tall), beta, alpha)


addbmm.vjp(
    input=lambda g, beta: _times(g, beta),
    batch1=lambda g, batch2, alpha: _times(_batches(g, transpose(conj(batch2), 1, 2)), alpha),
    batch2=lambda g, batch1, alpha: _times(_batches(transpose(conj(batch1), 1, 2), g), alpha),
)


@composite(method=False, out=False, namespaces=("nn.functional",))
def linear(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None
) -> Tensor:
    """``input @ weight.T + bias``.

    Args:
        input: any number of dimensions, the last of size m. weight: n×m, or m elements.
        bias: n elements.

    Raises:
        RuntimeError: the sizes do not fit.

    >>> import devgrad
    >>> devgrad.nn.functional.linear(devgrad.tensor([1.0, 2.0]), devgrad.tensor([[3.0, 4.0]]))
    tensor([11.])
    """
    if out is not None:
        return write_into("linear", linear, out, (input, weight, bias), {})
    if weight._array.ndim == 1:
        product = _matmul(input, weight)
        return product if bias is None else add.function(product, bias)
    turned = weight.t()
    ndim = input._array.ndim
    if bias is None:
        return _matmul(input, turned)
    if ndim == 2:
        return addmm.function(bias, input, turned)
    if ndim == 1:
        rows = unsqueeze.function(input, 0)
        return view(addmm.function(bias, rows, turned), (turned._array.shape[1],))
    *front, m = input._array.shape
    count = 1
    for n in front:
        count *= n
    flat = addmm.function(bias, reshape(input, (count, m)), turned)
    return view(flat, (*front, turned._array.shape[1]))
