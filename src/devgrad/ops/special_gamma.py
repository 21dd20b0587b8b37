"""Special functions: the gamma function's family, and the normal distribution's."""

from __future__ import annotations

import math
from typing import Any

from .._tensor import Tensor
from ._errors import refuse_dtype
from ._op import FUNCTIONS, METHODS, Array, composite, op
from .comparison import where
from .elementwise import exp, log, log1p

__all__: list[str] = []

_BOTH = ("", "special")
_SPECIAL: dict[str, Any] = {"namespaces": ("special",), "method": False}
_ROOT_PI = math.sqrt(math.pi)


# --- the gamma function ---------------------------------------------------------------------------


@op(elementwise=True, floating=True, inplace=True)
def lgamma(xp: Any, input: Array) -> Array:
    """The logarithm of the absolute value of the gamma function.

    >>> import devgrad
    >>> devgrad.lgamma(devgrad.tensor([1.0, 0.5, 5.0]))
    tensor([0.0000, 0.5724, 3.1781])
    """
    refuse_dtype(input, "c", "lgamma_vml")
    return xp.special("gammaln", xp.where(xp.isinf(input), xp.absolute(input), input))


@op(elementwise=True, floating=True, inplace=True, namespaces=_BOTH)
def digamma(xp: Any, input: Array) -> Array:
    """The derivative of `lgamma`.

    >>> import devgrad
    >>> devgrad.digamma(devgrad.tensor([1.0, 0.5]))
    tensor([-0.5772, -1.9635])
    """
    refuse_dtype(input, "c", "digamma")
    return xp.special("digamma", input)


@op(elementwise=True, floating=True, inplace=True, function=False, method=False)
def polygamma_(xp: Any, input: Array, n: int) -> Array:
    """The derivative of order ``n`` of `digamma`."""
    refuse_dtype(input, "c", "polygamma")
    if n == 0:
        return xp.special("digamma", input)
    order = xp.full(input.shape, n + 1, input.dtype)
    return xp.special("zeta", order, input) * input.dtype.type((-1) ** (n + 1) * math.factorial(n))


lgamma.vjp(input=lambda g, input: g * digamma(input))
digamma.vjp(input=lambda g, input: g * polygamma_(input, 1))
polygamma_.vjp(input=lambda g, input, n: g * polygamma_(input, n + 1))


@composite(namespaces=_BOTH, method=False)
def polygamma(n: int, input: Tensor) -> Tensor:
    """The derivative of order ``n`` of `digamma`.

    Raises:
        RuntimeError: ``n`` is negative.

    >>> import devgrad
    >>> devgrad.polygamma(1, devgrad.tensor([1.0, 0.5]))
    tensor([1.6449, 4.9348])
    """
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    result: Tensor = polygamma_.function(input, n)
    return result


def _polygamma_method(self: Tensor, n: int) -> Tensor:
    """`polygamma`, of this tensor."""
    result: Tensor = FUNCTIONS[""]["polygamma"](n, self)
    return result


METHODS.update(polygamma=_polygamma_method, polygamma_=polygamma_.inplace)


@op(elementwise=True, floating=True, inplace=True)
def mvlgamma(xp: Any, input: Array, p: int) -> Array:
    """The logarithm of the multivariate gamma function of dimension ``p``.

    >>> import devgrad
    >>> devgrad.mvlgamma(devgrad.tensor([2.0]), 2)
    tensor([0.4516])

    Raises:
        RuntimeError: ``p`` is less than 1.
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    total = xp.special("gammaln", input)
    for k in range(1, p):
        total = total + xp.special("gammaln", input - 0.5 * k)
    return total + input.dtype.type(p * (p - 1) / 4 * math.log(math.pi))


def _mvlgamma_rule(g: Any, input: Any, p: int) -> Any:
    total = digamma(input)
    for k in range(1, p):
        total = total + digamma(input - 0.5 * k)
    return g * total


mvlgamma.vjp(input=_mvlgamma_rule)


@op(elementwise=True, promotes=True, numbers=False, inplace=True)
def igamma(xp: Any, input: Array, other: Array) -> Array:
    """The regularised lower incomplete gamma function of ``input``, up to ``other``.

    There is no derivative with respect to ``input``.

    >>> import devgrad
    >>> devgrad.igamma(devgrad.tensor([1.0]), devgrad.tensor([1.0]))
    tensor([0.6321])
    """
    refuse_dtype(input, "cbiu", "igamma")
    return xp.special("gammainc", input, other)


@op(elementwise=True, promotes=True, numbers=False, inplace=True)
def igammac(xp: Any, input: Array, other: Array) -> Array:
    """The regularised upper incomplete gamma function: ``1 - igamma``.

    There is no derivative with respect to ``input``.

    >>> import devgrad
    >>> devgrad.igammac(devgrad.tensor([1.0]), devgrad.tensor([1.0]))
    tensor([0.3679])
    """
    refuse_dtype(input, "cbiu", "igammac")
    return xp.special("gammaincc", input, other)


def _gamma_density(input: Any, other: Any) -> Any:
    return exp((input - 1) * log(other) - other - lgamma(input))


igamma.vjp(other=lambda g, input, other: g * _gamma_density(input, other))
igammac.vjp(other=lambda g, input, other: g * -_gamma_density(input, other))


@op(elementwise=True, floating=True, **_SPECIAL)
def zeta(xp: Any, input: Array, other: Array) -> Array:
    """Hurwitz's zeta function: the sum of ``(k + other) ** -input`` over k from 0 on.

    There is no derivative with respect to ``input``.

    >>> import devgrad
    >>> devgrad.special.zeta(devgrad.tensor([2.0, 4.0]), 1)
    tensor([1.6449, 1.0823])
    """
    refuse_dtype(input, "c", "zeta")
    shape = xp.broadcast_shapes(input.shape, other.shape)
    return xp.special("zeta", xp.expanded(input, shape), xp.expanded(other, shape))


zeta.vjp(other=lambda g, input, other: g * -(input * zeta(input + 1, other)))

for _alias, _function in (
    ("gammaln", lgamma.function), ("psi", digamma.function), ("gammainc", igamma.function),
    ("gammaincc", igammac.function), ("multigammaln", mvlgamma.function),
):  # fmt: skip
    FUNCTIONS["special"][_alias] = _function


# --- the normal distribution ----------------------------------------------------------------------


@op(elementwise=True, floating=True, inplace=True, namespaces=_BOTH)
def erfinv(xp: Any, input: Array) -> Array:
    """The inverse of the error function: infinite at -1 and 1, NaN beyond.

    >>> import devgrad
    >>> devgrad.erfinv(devgrad.tensor([0.0, 0.5, -1.0]))
    tensor([0.0000, 0.4769,   -inf])
    """
    refuse_dtype(input, "c", "erfinv_vml")
    return xp.special("erfinv", input)


@op(node="SpecialErfcxBackward0", elementwise=True, floating=True, **_SPECIAL)
def erfcx(xp: Any, input: Array) -> Array:
    """``exp(input²) * erfc(input)``, which does not vanish for large ``input``.

    >>> import devgrad
    >>> devgrad.special.erfcx(devgrad.tensor([0.0, 10.0]))
    tensor([1.0000, 0.0561])
    """
    refuse_dtype(input, "c", "erfcx")
    return xp.special("erfcx", input)


@op(elementwise=True, floating=True, **_SPECIAL)
def ndtr(xp: Any, input: Array) -> Array:
    """The normal distribution: the probability of less than ``input``.

    >>> import devgrad
    >>> devgrad.special.ndtr(devgrad.tensor([-3.0, 0.0]))
    tensor([0.0013, 0.5000])
    """
    refuse_dtype(input, "c", "ndtr")
    return xp.erfc(input * -math.sqrt(0.5)) * 0.5


@op(node="SpecialLogNdtrBackward0", elementwise=True, floating=True, **_SPECIAL)
def log_ndtr(xp: Any, input: Array) -> Array:
    """The logarithm of `ndtr`, also where that is too small for a number.

    >>> import devgrad
    >>> devgrad.special.log_ndtr(devgrad.tensor([-100.0, 0.0]))
    tensor([-5.0055e+03, -6.9315e-01])
    """
    refuse_dtype(input, "c", "log_ndtr")
    scaled = input * -math.sqrt(0.5)
    tail = xp.log(xp.special("erfcx", scaled) * 0.5) - scaled * scaled
    return xp.where(input < -1, tail, xp.log1p(xp.erfc(-scaled) * -0.5))


@op(node="SpecialNdtriBackward0", elementwise=True, floating=True, **_SPECIAL)
def ndtri(xp: Any, input: Array) -> Array:
    """The inverse of `ndtr`: infinite at 0 and 1, NaN beyond.

    >>> import devgrad
    >>> devgrad.special.ndtri(devgrad.tensor([0.5, 0.975]))
    tensor([0.0000, 1.9600])
    """
    refuse_dtype(input, "c", "ndtri")
    return xp.special("ndtri", input)


erfinv.vjp(input=lambda g, out: g * (exp(out * out) * (_ROOT_PI / 2)))
erfcx.vjp(input=lambda g, input, out: g * (2 * input * out - 2 / _ROOT_PI))
ndtr.vjp(input=lambda g, input: g * (exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi))))
log_ndtr.vjp(input=lambda g, input: g * math.sqrt(2 / math.pi) / erfcx(input * -math.sqrt(0.5)))
ndtri.vjp(input=lambda g, out: g * (exp(out * out * 0.5) * math.sqrt(2 * math.pi)))


# --- entropies ------------------------------------------------------------------------------------


@op(node="SpecialEntrBackward0", elementwise=True, floating=True, **_SPECIAL)
def entr(xp: Any, input: Array) -> Array:
    """``-input * log(input)``; 0 at 0, minus infinity below.

    >>> import devgrad
    >>> devgrad.special.entr(devgrad.tensor([0.0, 0.5, -1.0]))
    tensor([0.0000, 0.3466,   -inf])
    """
    refuse_dtype(input, "c", "entr")
    product = xp.where(input > 0, -input * xp.log(input), xp.where(input == 0, 0, -math.inf))
    return xp.where(xp.isnan(input), input, product).astype(input.dtype)


@op(node="SpecialXlog1PyBackward0", elementwise=True, floating=True, **_SPECIAL)
def xlog1py(xp: Any, input: Array, other: Array) -> Array:
    """``input * log1p(other)``, and 0 where ``input`` is 0; one of the two may be a number.

    >>> import devgrad
    >>> devgrad.special.xlog1py(devgrad.tensor([0.0, 2.0]), devgrad.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    refuse_dtype(input, "c", "xlog1py")
    product = xp.where(input == 0, 0, input * xp.log1p(other))
    return xp.where(xp.isnan(other), xp.asarray(math.nan), product).astype(input.dtype)


entr.vjp(input=lambda g, input: g * -(1 + log(input)))
xlog1py.vjp(
    input=lambda g, input, other: g * where((input == 0) & (other <= -1), 0, log1p(other)),
    other=lambda g, input, other: g * (input / (other + 1)),
)
