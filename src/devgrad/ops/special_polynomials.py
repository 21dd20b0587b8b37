"""Special functions: orthogonal polynomials, by their recurrences.

``f(x, n)`` is the polynomial of degree ``n`` (a tensor or a number, cut to a whole number) at
``x``, and 0 for negative ``n``. They have no derivative here, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._errors import refuse_dtype
from ._op import Array, op

__all__: list[str] = []

# The highest degrees that PyTorch computes of Hermite's, which grow fastest.
_HERMITE_LIMIT = {"float64": 512, "float32": 128, "float16": 128}


def _recurred(
    xp: Any, x: Any, n: Any, first: Any, step: Callable[[int, Any, Any], Any], highest: int
) -> Any:
    """P(n): P(0) is 1, P(1) is ``first``, and P(k + 1) is ``step(k, P(k), P(k - 1))``."""
    before, now = xp.ones(x.shape, x.dtype), first
    result = xp.where(n == 0, before, xp.where(n > 0, now, x.dtype.type(0)))
    for k in range(1, highest):
        before, now = now, step(k, now, before)
        result = xp.where(n > k, now, result)
    return result


def _polynomial(
    name: str,
    first: Callable[[Any], Any],
    step: Callable[[int, Any, Any, Any], Any],
    doc: str,
    closed: Callable[[Any, Any, Any], tuple[Any, Any]] | None = None,
) -> None:
    """Declare one.

    Args:
        closed: gives ``(where, values)``: a formula for those places, for degrees above 8, so that
            these need no recurrence.
    """

    def forward(xp: Any, x: Array, n: Array) -> Array:
        refuse_dtype(x, "c", name)
        shape = xp.broadcast_shapes(x.shape, n.shape)
        x, n = xp.expanded(x, shape), xp.trunc(xp.expanded(n, shape))
        known = None
        if closed is not None:
            known, values = closed(xp, x, n)
            # NaN stays NaN of any degree: it needs no long recurrence either.
            left = xp.where(known | (x != x), xp.minimum(n, n.dtype.type(8)), n)
        elif name.startswith("hermite"):
            limit = _HERMITE_LIMIT[x.dtype.name]
            left = xp.where(n > limit, n.dtype.type(0), n)
            known, values = n > limit, xp.full(x.shape, xp.nan, x.dtype)
        else:
            left = n
        highest = int(left.max()) if left.size else 0
        found = _recurred(xp, x, n, first(x), lambda k, p, q: step(k, x, p, q), highest)
        return found if known is None else xp.where(known, values, found).astype(x.dtype)

    forward.__name__ = forward.__qualname__ = name
    forward.__doc__ = f"{doc} of degree ``n`` at ``x``; one of the two may be a number."
    op(elementwise=True, floating=True, namespaces=("special",), method=False)(forward)


# --- Chebyshev's, which are cosines ---------------------------------------------------------------


def _inside(xp: Any, x: Any, n: Any, least: int) -> tuple[Any, Any]:
    inside = (n > least) & (xp.absolute(x) < 1)
    return inside, xp.arccos(xp.where(inside, x, x.dtype.type(0)))


def _closed_t(xp: Any, x: Any, n: Any) -> tuple[Any, Any]:
    inside, angle = _inside(xp, x, n, 6)
    even = xp.where(n % 2 == 0, x.dtype.type(1), x.dtype.type(-1))
    ends = (xp.absolute(x) == 1) & (n >= 0)
    values = xp.where(x > 0, x.dtype.type(1), even)
    return inside | ends, xp.where(ends, values, xp.cos(n * angle))


def _closed_u(xp: Any, x: Any, n: Any) -> tuple[Any, Any]:
    inside, angle = _inside(xp, x, n, 8)
    ends = (xp.absolute(x) == 1) & (n >= 0)
    values = xp.where((x > 0) | (n % 2 == 0), n + 1, -(n + 1))
    return inside | ends, xp.where(ends, values, xp.sin((n + 1) * angle) / xp.sin(angle))


def _closed_v(xp: Any, x: Any, n: Any) -> tuple[Any, Any]:
    inside, angle = _inside(xp, x, n, 8)
    ends = (xp.absolute(x) == 1) & (n >= 0)
    values = xp.where(x > 0, x.dtype.type(1), xp.where(n % 2 == 0, n + n + 1, -(n + n + 1)))
    return inside | ends, xp.where(ends, values, xp.cos((n + 0.5) * angle) / xp.cos(angle / 2))


def _closed_w(xp: Any, x: Any, n: Any) -> tuple[Any, Any]:
    inside, angle = _inside(xp, x, n, 8)
    ends = (xp.absolute(x) == 1) & (n >= 0)
    even = xp.where(n % 2 == 0, x.dtype.type(1), x.dtype.type(-1))
    values = xp.where(x > 0, n + n + 1, even)
    return inside | ends, xp.where(ends, values, xp.sin((n + 0.5) * angle) / xp.sin(angle / 2))


def _chebyshev(kind: str, offset: int, doc: str, closed: Any) -> None:
    """The polynomials that begin with 1 and ``factor x + offset``, and those of ``2 x - 1``."""
    factor = 1 if kind == "t" else 2

    def step(k: int, x: Any, p: Any, q: Any) -> Any:
        return 2 * x * p - q

    _polynomial(f"chebyshev_polynomial_{kind}", lambda x: factor * x + offset, step, doc, closed)
    _polynomial(
        f"shifted_chebyshev_polynomial_{kind}",
        lambda x: factor * (2 * x - 1) + offset,
        lambda k, x, p, q: step(k, 2 * x - 1, p, q),
        f"{doc}, shifted from between -1 and 1 to between 0 and 1,",
        lambda xp, x, n: closed(xp, 2 * x - 1, n),
    )


_chebyshev("t", 0, "Chebyshev's polynomial of the first kind", _closed_t)
_chebyshev("u", 0, "Chebyshev's polynomial of the second kind", _closed_u)
_chebyshev("v", -1, "Chebyshev's polynomial of the third kind", _closed_v)
_chebyshev("w", 1, "Chebyshev's polynomial of the fourth kind", _closed_w)


# --- the others -----------------------------------------------------------------------------------

_polynomial(
    "hermite_polynomial_h", lambda x: 2 * x, lambda k, x, p, q: 2 * (x * p - k * q),
    "The physicist's Hermite polynomial",
)  # fmt: skip
_polynomial(
    "hermite_polynomial_he", lambda x: x, lambda k, x, p, q: x * p - k * q,
    "The probabilist's Hermite polynomial",
)  # fmt: skip
_polynomial(
    "laguerre_polynomial_l",
    lambda x: 1 - x,
    lambda k, x, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1),
    "Laguerre's polynomial",
)
_polynomial(
    "legendre_polynomial_p",
    lambda x: x,
    lambda k, x, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1),
    "Legendre's polynomial",
)
