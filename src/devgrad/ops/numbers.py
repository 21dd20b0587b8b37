"""Numbers by their parts (real and imaginary; mantissa and exponent), and whole numbers."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ..device import dtype_of_array
from ._arguments import NUMBERS, kind_name
from ._errors import refuse_dtype
from ._formula import conj
from ._op import Array, Number, composite, op
from ._promotion import common_type
from .conversion import moved
from .elementwise import exp2
from .trigonometry import cos, sin

__all__: list[str] = []

_LN2 = 0.6931471805599453


# --- complex numbers ------------------------------------------------------------------------------


def _check_pair(first: Array, second: Array, complex_of: str) -> None:
    dtypes = [dtype_of_array(x) for x in (first, second)]
    titles = [str(d and d.title) for d in dtypes]
    if any(d is None or not d.is_floating_point for d in dtypes):
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {titles[0]} and "
            f"{titles[1]}"
        )
    if titles[0] != titles[1]:
        raise RuntimeError(
            f"Expected object of scalar type {titles[0]} but got scalar type {titles[1]} for "
            f"second argument. {complex_of}() takes two tensors of one dtype"
        )


@op(name="complex", method=False)
def complex_(xp: Any, real: Array, imag: Array) -> Array:
    """Complex numbers of their real and imaginary parts.

    Raises:
        RuntimeError: the two are not of one floating-point dtype.

    >>> import devgrad
    >>> devgrad.complex(devgrad.tensor([1.0]), devgrad.tensor([2.0]))
    tensor([1.+2.j])
    """
    _check_pair(real, imag, "complex")
    shape = xp.broadcast_shapes(real.shape, imag.shape)
    made = xp.empty(shape, "complex128" if real.dtype.name == "float64" else "complex64")
    made.real, made.imag = real, imag
    return made


complex_.vjp(real=lambda g: g, imag=lambda g: g * -1j)  # the engine takes the real part


@op(method=False)
def polar(xp: Any, abs: Array, angle: Array) -> Array:
    """Complex numbers of their magnitudes and angles.

    Raises:
        RuntimeError: the two are not of one floating-point dtype.

    >>> import devgrad
    >>> devgrad.polar(devgrad.tensor([2.0]), devgrad.tensor([0.0]))
    tensor([2.+0.j])
    """
    _check_pair(abs, angle, "polar")
    return complex_.forward(xp, abs * xp.cos(angle), abs * xp.sin(angle))


polar.vjp(
    abs=lambda g, angle: g * conj(complex_(cos(angle), sin(angle))),
    angle=lambda g, out: g * conj(out * 1j),
)


# --- mantissa and exponent ------------------------------------------------------------------------


@op(outputs=("mantissa", "exponent"))
def frexp(xp: Any, input: Array) -> Any:
    """``input`` as ``mantissa * 2 ** exponent``, with mantissas from 0.5 up to, without, 1.

    Raises:
        RuntimeError: ``input`` is not floating point.

    >>> import devgrad
    >>> devgrad.frexp(devgrad.tensor([3.0])).exponent
    tensor([2], dtype=torch.int32)
    """
    if input.dtype.kind != "f":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = xp.frexp(input)
    return mantissa, exponent.astype("int32")


frexp.vjp(input=lambda g, exponent: g / exp2(exponent))


@op(floating=True, numbers=False, inplace=True)
def ldexp(xp: Any, input: Array, other: Array) -> Array:
    """``input * 2 ** other``.

    >>> import devgrad
    >>> devgrad.ldexp(devgrad.tensor([3.0]), devgrad.tensor([2]))
    tensor([12.])
    """
    return input * xp.exp2(other)


ldexp.vjp(
    input=lambda g, other: g * conj(exp2(other)),
    other=lambda g, out: g * conj(out * _LN2),
)


# --- whole numbers --------------------------------------------------------------------------------


@op(promotes=True, numbers=False, inplace=True)
def gcd(xp: Any, input: Array, other: Array) -> Array:
    """The greatest common divisor, not negative; of zeros, zero.

    >>> import devgrad
    >>> devgrad.gcd(devgrad.tensor([4, -6]), devgrad.tensor([6, 4]))
    tensor([2, 2])
    """
    refuse_dtype(input, "bfc", "gcd")
    return xp.gcd(input, other)


@op(promotes=True, numbers=False, inplace=True)
def lcm(xp: Any, input: Array, other: Array) -> Array:
    """The least common multiple, not negative; zero if one number is.

    >>> import devgrad
    >>> devgrad.lcm(devgrad.tensor([4, -6]), devgrad.tensor([6, 4]))
    tensor([12, 12])
    """
    refuse_dtype(input, "bfc", "lcm")
    return xp.lcm(input, other)


# --- questions ------------------------------------------------------------------------------------


@composite(out=False)
def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is other than zero.

    Raises:
        RuntimeError: there is not exactly one.
    """
    return bool(input)


@composite(method=False)
def isin(
    elements: Tensor | Number, test_elements: Tensor | Number, *, assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:  # fmt: skip
    """Where an element is one of ``test_elements``; one of the two may be a number.

    Args:
        assume_unique: that both hold nothing twice; may make it faster.
        invert: where it is none of them.

    Raises:
        RuntimeError: bool and complex numbers are not supported.

    >>> import devgrad
    >>> devgrad.isin(devgrad.tensor([1, 2, 3]), devgrad.tensor([3, 1]))
    tensor([ True, False,  True])
    """
    operands = (elements, test_elements)
    if all(isinstance(x, NUMBERS) for x in operands):
        raise TypeError(
            "isin() received an invalid combination of arguments - got "
            f"({', '.join(map(kind_name, operands))}), but expected a Tensor among them"
        )
    kind = common_type(operands, "isin", False)
    if kind.dtype.category in (0, 3):
        raise RuntimeError(f"Unsupported input type encountered for isin(): {kind.dtype.title}")
    xp = kind.xp
    first, second = (
        moved(x._array, x._type, kind) if isinstance(x, Tensor) else xp.asarray(x) for x in operands
    )
    found = xp.isin(first, second, assume_unique=assume_unique, invert=invert)
    truth = kind.device.types[xp.dtype("bool")]
    return wrap(truth.asarray(found), truth)
