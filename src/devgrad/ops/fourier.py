"""Fourier transforms: ``devgrad.fft``.

All transforms are made of three, as the array libraries have them: of complex numbers (`_c2c`),
of real numbers to the half of the spectrum that says everything (`_r2c`), and from such a half
back (`_c2r`). Each is linear, and its derivative is its adjoint: the transform the other way, with
the same factor. The halves need one more thought: see `_r2c` and `_c2r`.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from ..device import get_default_dtype
from ._formula import cast
from ._layout import as_dim
from ._op import FUNCTIONS, Array, Ints, composite, op

__all__: list[str] = []

_FFT = {"method": False, "namespaces": ("fft",)}


# --- the three transforms -------------------------------------------------------------------------

# A factor is told by its name: 1, 1 / sqrt(n) or 1 / n, n being the number of elements
# transformed. The array libraries tell it by the direction that has none.
_FORWARD = {"one": "backward", "root": "ortho", "n": "forward"}
_BACKWARD = {"one": "forward", "root": "ortho", "n": "backward"}


@op(name="fft_c2c", node="FftC2CBackward0", function=False, method=False)
def _c2c(xp: Any, input: Array, dims: Any, factor: str, inverse: bool) -> Array:
    """The transform of complex (or real) numbers over ``dims``."""
    if not dims:
        return input + xp.zeros((), "complex64" if input.dtype.char in "fF" else "complex128")
    if len(dims) == 1:
        transform = xp.fft.ifft if inverse else xp.fft.fft
        return transform(input, None, dims[0], (_BACKWARD if inverse else _FORWARD)[factor])
    transform = xp.fft.ifftn if inverse else xp.fft.fftn
    return transform(input, None, dims, (_BACKWARD if inverse else _FORWARD)[factor])


_c2c.vjp(input=lambda g, dims, factor, inverse: _c2c(g, dims, factor, not inverse))


# In one dimension, of real numbers, PyTorch's node has another name.
_real_c2c = op(name="fft_real_c2c", node="FftR2CBackward0", function=False, method=False)(
    _c2c.forward
)
_real_c2c.vjp(input=lambda g, dims, factor, inverse: _c2c(g, dims, factor, not inverse))


@op(name="fft_r2c", node="FftR2CBackward0", function=False, method=False)
def _r2c(xp: Any, input: Array, dims: Any, factor: str) -> Array:
    """The transform of real numbers, without the negative frequencies of the last of ``dims``."""
    return xp.fft.rfftn(input, None, dims, _FORWARD[factor])


@op(name="fft_c2r", node="FftC2RBackward0", function=False, method=False)
def _c2r(xp: Any, input: Array, dims: Any, factor: str, last: int) -> Array:
    """Real numbers from non-negative frequencies; ``last``: how many in the last of ``dims``."""
    sizes = [input.shape[d] for d in dims[:-1]]
    return xp.fft.irfftn(input, (*sizes, last), dims, _BACKWARD[factor])


@op(node="ConstantPadNdBackward0", function=False, method=False)
def resized(xp: Any, input: Array, dims: Any, sizes: Any) -> Array:
    """``input`` cut off, or filled up with zeros, at the end of ``dims``."""
    shape = list(input.shape)
    for d, n in zip(dims, sizes, strict=True):
        shape[d] = n
    part = tuple([slice(min(n, m)) for n, m in zip(shape, input.shape, strict=True)])
    result = xp.zeros(tuple(shape), input.dtype)
    result[part] = input[part]
    return result


resized.vjp(
    input=lambda g, input_shape, dims: resized(g, dims, tuple([input_shape[d] for d in dims]))
)


@op(node="MulBackward0", function=False, method=False)
def _doubled(xp: Any, input: Array, dim: int, stop: int) -> Array:
    """``input``, twice as large from 1 up to ``stop`` along ``dim``."""
    result = input.copy()
    result[(slice(None),) * dim + (slice(1, stop),)] *= 2
    return result


_doubled.vjp(input=lambda g, dim, stop: _doubled(g, dim, stop))

# The adjoint of leaving frequencies out is to put zeros there. (The engine takes the real part.)
_r2c.vjp(
    input=lambda g, input_shape, dims, factor: _c2c(
        resized(g, dims[-1:], (input_shape[dims[-1]],)), dims, factor, True
    )
)
# Each frequency has gone into the result twice, as itself and as its negative, but 0 and the
# highest of an even number.
_c2r.vjp(
    input=lambda g, input_shape, dims, factor, last: _doubled(
        _r2c(g, dims, factor), dims[-1], last - last // 2
    )
)


# --- their arguments ------------------------------------------------------------------------------


def _factor(norm: str | None, forward: bool) -> str:
    """The factor's name, of PyTorch's: "backward" has it in the transform back, and so on."""
    if norm == "ortho":
        return "root"
    if norm not in (None, "backward", "forward"):
        raise RuntimeError(
            f'Invalid normalization mode: "{norm}". There are "backward" (the default), "ortho" '
            'and "forward"'
        )
    return "n" if (norm == "forward") is forward else "one"


def _check_dtype(input: Any) -> None:
    dtype = input._type.dtype
    if dtype.name == "float16":
        raise RuntimeError(f"Unsupported dtype {dtype.title}. Convert the tensor first, x.float()")


def _as_complex(input: Tensor) -> Tensor:
    """Floating point of either kind; whole numbers become floats."""
    if input._type.dtype.category < 2:
        input = cast.function(input, get_default_dtype().array_dtype)
    _check_dtype(input)
    return input


def _real(name: str, input: Tensor) -> Tensor:
    if input._type.dtype.is_complex:
        raise RuntimeError(
            f"{name} expects a real input tensor, but got {input._type.dtype.title}. Of complex "
            "numbers fft() is the transform"
        )
    return _as_complex(input)


def _line(input: Tensor, n: int | None, dim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dimension counted from the front, and how many elements of it are asked for."""
    d = as_dim(dim, input.ndim) if input.ndim else _no_dims(dim)
    size = input.shape[d] if n is None else n
    if size < 1:
        raise RuntimeError(f"Invalid number of data points ({size}) specified")
    return (d,), (size,)


def _no_dims(dim: int) -> int:
    raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")


def _last(s: int | Ints | None) -> int | None:
    """The number of elements that ``s`` gives the last dimension, if it does."""
    if s is None or isinstance(s, int):
        return s or None
    return (s[-1] or None) if len(s) else None


def _lines(
    input: Tensor, s: Any, dim: Any, last_given: bool = True
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same for several dimensions.

    Raises:
        RuntimeError: a dimension is named twice, or ``s`` and ``dim`` differ in length.
    """
    rank = input.ndim
    if isinstance(s, int):
        s = (s,)
    if isinstance(dim, int):
        dim = (dim,)
    if dim is not None:
        dims = tuple([as_dim(d, rank) for d in dim])
        if len(set(dims)) < len(dims):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError(
                "When given, dim and shape arguments must have the same length: they have "
                f"{len(dims)} and {len(s)}"
            )
    elif s is None:
        dims = tuple(range(rank))
    elif len(s) > rank:
        raise RuntimeError(
            f"Got shape with {len(s)} values but input tensor only has {rank} dimensions."
        )
    else:
        dims = tuple(range(rank - len(s), rank))
    wanted = (-1,) * len(dims) if s is None else tuple(s)
    sizes = tuple([input.shape[d] if n == -1 else n for d, n in zip(dims, wanted, strict=True)])
    for k, n in enumerate(sizes):
        # Of a transform to real numbers the size of the last is known later.
        if n < 1 and (last_given or k < len(sizes) - 1):
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return dims, sizes


def _fitted(input: Tensor, dims: tuple[int, ...], sizes: tuple[int, ...]) -> Tensor:
    if all(input.shape[d] == n for d, n in zip(dims, sizes, strict=True)):
        return input
    result: Tensor = resized.function(input, dims, sizes)
    return result


def _conj(input: Tensor) -> Tensor:
    return input.conj() if input._type.dtype.is_complex else input


def _last_size(input: Tensor, dims: Any, last: int | None) -> int:
    """How many real numbers the transform of a half gives."""
    n = 2 * (input.shape[dims[-1]] - 1) if last is None or last == -1 else last
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return n


def _complex(
    input: Tensor, lines: Any, norm: str | None, inverse: bool, several: bool = True
) -> Tensor:
    input = _as_complex(input)
    dims, sizes = lines
    transform = _c2c if several or input._type.dtype.is_complex else _real_c2c
    result: Tensor = transform.function(
        _fitted(input, dims, sizes), dims, _factor(norm, not inverse), inverse
    )
    return result


def _halved(name: str, input: Tensor, lines: Any, norm: str | None) -> Tensor:
    input = _real(name, input)
    dims, sizes = lines
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    result: Tensor = _r2c.function(_fitted(input, dims, sizes), dims, _factor(norm, True))
    return result


def _unhalved(
    name: str, input: Tensor, dims: Any, sizes: Any, last: int | None, norm: str | None
) -> Tensor:
    input = _as_complex(input)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    last = _last_size(input, dims, last)
    input = _fitted(input, dims, (*sizes[:-1], last // 2 + 1))
    result: Tensor = _c2r.function(input, dims, _factor(norm, False), last)
    return result


# --- one dimension --------------------------------------------------------------------------------


@composite(**_FFT)
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The discrete Fourier transform along ``dim``; complex.

    Args:
        input: real or complex, of any shape. Whole numbers become floats.
        n: how many elements are transformed: the rest is cut off, or zeros are put behind.
        norm: ``"backward"`` (no factor; the inverse has 1/n), ``"ortho"`` (both have 1/sqrt(n)),
            ``"forward"`` (1/n here).

    Raises:
        RuntimeError: there is nothing to transform, or the dtype is float16.

    >>> import devgrad
    >>> devgrad.fft.fft(devgrad.tensor([1.0, 2.0, 3.0]))
    tensor([ 6.0000+0.0000j, -1.5000+0.8660j, -1.5000-0.8660j])
    """
    return _complex(input, _line(input, n, dim), norm, False, several=False)


@composite(**_FFT)
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `fft`, with its arguments.

    >>> import devgrad
    >>> devgrad.fft.ifft(devgrad.tensor([4, 0, 0, 0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _complex(input, _line(input, n, dim), norm, True, several=False)


@composite(**_FFT)
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The `fft` of real numbers, without the negative frequencies: n // 2 + 1 of n.

    >>> import devgrad
    >>> devgrad.fft.rfft(devgrad.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _halved("rfft", input, _line(input, n, dim), norm)


@composite(**_FFT)
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `rfft`: real numbers, ``n`` of them; default 2 * (size - 1).

    >>> import devgrad
    >>> devgrad.fft.irfft(devgrad.tensor([4.0, 0.0, 0.0]))
    tensor([1., 1., 1., 1.])
    """
    (d,), _ = _line(input, None if n is None else max(n, 1), dim)
    return _unhalved("irfft", input, (d,), (0,), n, norm)


@composite(**_FFT)
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The `fft` of a Hermitian signal, given by its first half: real, ``n`` numbers of it.

    >>> import devgrad
    >>> devgrad.fft.hfft(devgrad.tensor([1.0, 0.0, 0.0]))
    tensor([1., 1., 1., 1.])
    """
    (d,), _ = _line(input, None if n is None else max(n, 1), dim)
    return _hermitian("hfft", input, (d,), (0,), n, norm)


@composite(**_FFT)
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`: half of the Hermitian signal whose spectrum is ``input``, real.

    >>> import devgrad
    >>> devgrad.fft.ihfft(devgrad.tensor([4.0, 4.0, 4.0, 4.0]))
    tensor([4.-0.j, 0.-0.j, 0.-0.j])
    """
    return _inverse_hermitian("ihfft", input, _line(input, n, dim), norm)


def _hermitian(
    name: str, input: Tensor, dims: Any, sizes: Any, last: int | None, norm: str | None
) -> Tensor:
    input = _as_complex(input)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    last = _last_size(input, dims, last)
    input = _fitted(input, dims, (*sizes[:-1], last // 2 + 1))
    factor = _factor(norm, True)
    if len(dims) > 1:
        input = _c2c.function(input, dims[:-1], factor, False)
    result: Tensor = _c2r.function(_conj(input), dims[-1:], factor, last)
    return result


def _inverse_hermitian(name: str, input: Tensor, lines: Any, norm: str | None) -> Tensor:
    input = _real(name, input)
    dims, sizes = lines
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    factor = _factor(norm, False)
    half = _conj(_r2c.function(_fitted(input, dims, sizes), dims[-1:], factor))
    return half if len(dims) == 1 else _c2c.function(half, dims[:-1], factor, True)


# --- several dimensions ---------------------------------------------------------------------------


@composite(**_FFT)
def fftn(
    input: Tensor, s: int | Ints | None = None, dim: int | Ints | None = None,
    norm: str | None = None,
) -> Tensor:  # fmt: skip
    """The discrete Fourier transform over several dimensions; see `fft`.

    Args:
        s: how many elements of each dimension; -1 for all.
        dim: over which; default the last ``len(s)``, or all.

    >>> import devgrad
    >>> devgrad.fft.fftn(devgrad.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return _complex(input, _lines(input, s, dim), norm, False)


@composite(**_FFT)
def ifftn(
    input: Tensor, s: int | Ints | None = None, dim: int | Ints | None = None,
    norm: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `fftn`.

    >>> import devgrad
    >>> devgrad.fft.ifftn(devgrad.tensor([[4.0, 0.0], [0.0, 0.0]])).real
    tensor([[1., 1.],
            [1., 1.]])
    """
    return _complex(input, _lines(input, s, dim), norm, True)


@composite(**_FFT)
def rfftn(
    input: Tensor, s: int | Ints | None = None, dim: int | Ints | None = None,
    norm: str | None = None,
) -> Tensor:  # fmt: skip
    """The `fftn` of real numbers, without the negative frequencies of the last dimension.

    >>> import devgrad
    >>> devgrad.fft.rfftn(devgrad.ones(2, 4)).shape
    torch.Size([2, 3])
    """
    return _halved("rfftn", input, _lines(input, s, dim), norm)


@composite(**_FFT)
def irfftn(
    input: Tensor, s: int | Ints | None = None, dim: int | Ints | None = None,
    norm: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `rfftn`; ``s[-1]`` is the number of real ones in the last dimension.

    >>> import devgrad
    >>> devgrad.fft.irfftn(devgrad.ones(2, 3)).shape
    torch.Size([2, 4])
    """
    dims, sizes = _lines(input, s, dim, last_given=False)
    return _unhalved("irfftn", input, dims, sizes, _last(s), norm)


@composite(**_FFT)
def hfftn(
    input: Tensor, s: int | Ints | None = None, dim: int | Ints | None = None,
    norm: str | None = None,
) -> Tensor:  # fmt: skip
    """The `fftn` of a signal that is Hermitian in the last dimension, given by its first half.

    >>> import devgrad
    >>> devgrad.fft.hfftn(devgrad.ones(2, 3)).shape
    torch.Size([2, 4])
    """
    dims, sizes = _lines(input, s, dim, last_given=False)
    return _hermitian("hfftn", input, dims, sizes, _last(s), norm)


@composite(**_FFT)
def ihfftn(
    input: Tensor, s: int | Ints | None = None, dim: int | Ints | None = None,
    norm: str | None = None,
) -> Tensor:  # fmt: skip
    """The inverse of `hfftn`.

    >>> import devgrad
    >>> devgrad.fft.ihfftn(devgrad.ones(2, 4)).shape
    torch.Size([2, 3])
    """
    return _inverse_hermitian("ihfftn", input, _lines(input, s, dim), norm)


def _two_dims(of_several: Any) -> Any:
    """The transform that is ``of_several`` over the last two dimensions, if no others are named."""
    name = of_several.__name__

    def transform(
        input: Tensor, s: Ints | None = None, dim: Ints = (-2, -1), norm: str | None = None
    ) -> Tensor:
        result: Tensor = of_several(input, s, dim, norm)
        return result

    transform.__name__ = transform.__qualname__ = f"{name[:-1]}2"
    transform.__doc__ = f"The same as `{name}`, by default over the last two dimensions."
    return composite(transform, **_FFT)


for _transform in (fftn, ifftn, rfftn, irfftn, hfftn, ihfftn):
    _two_dims(_transform)


# --- the order of frequencies ---------------------------------------------------------------------


def _rolled(input: Tensor, dim: Any, back: bool) -> Tensor:
    if dim is None:
        dim = tuple(range(input.ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    sizes = [input.shape[as_dim(d, input.ndim)] for d in dims]
    shifts = tuple([(n + 1) // 2 if back else n // 2 for n in sizes])
    result: Tensor = FUNCTIONS[""]["roll"](input, shifts, dims)
    return result


@composite(out=False, **_FFT)
def fftshift(input: Tensor, dim: int | Ints | None = None) -> Tensor:
    """Frequencies in the order of `fft` put in ascending order, zero in the middle.

    >>> import devgrad
    >>> devgrad.fft.fftshift(devgrad.fft.fftfreq(4))
    tensor([-0.5000, -0.2500,  0.0000,  0.2500])
    """
    return _rolled(input, dim, False)


@composite(out=False, **_FFT)
def ifftshift(input: Tensor, dim: int | Ints | None = None) -> Tensor:
    """The inverse of `fftshift`.

    >>> import devgrad
    >>> devgrad.fft.ifftshift(devgrad.tensor([-2, -1, 0, 1]))
    tensor([ 0,  1, -2, -1])
    """
    return _rolled(input, dim, True)
