"""Special functions."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, normal, positive, rng, unit

INF, NAN = np.inf, np.nan


def plain() -> list[Sample]:
    return [S(normal(3, 4)), S(np.array(0.3)), S(normal(2, 0))]


def above() -> list[Sample]:
    """Positive numbers, of every size."""
    x = positive(3, 4) * 3
    return [S(x), S(np.array(0.3)), S(positive(2, 0)), S(np.array([1e-3, 12.5, 40.0, 900.0]))]


def within() -> list[Sample]:
    return [S(unit(3, 4)), S(np.array(-0.3)), S(unit(2, 0))]


def odd() -> list[Sample]:
    """Where functions have poles and limits; no gradients."""
    return [S(np.array([0.0, -0.0, 1.0, -1.0, 2.0, -2.0, -2.5, 0.5, 1e-300, -1e-9, 30.0, -30.0,
                        1e10, INF, -INF, NAN]))]  # fmt: skip


def chances() -> list[Sample]:
    x = np.array([0.0, 1.0, 0.5, 1e-300, 1e-20, 1e-5, 0.2499, 0.25, 0.75, 0.7501, 1 - 1e-10, -0.1,
                  1.1, NAN])  # fmt: skip
    return [S(x), S(2 * x - 1)]


def pairs() -> list[Sample]:
    return [S(positive(3, 4), positive(4)), S(positive(2, 0), positive(1))]


def degrees() -> list[Sample]:
    x = np.linspace(-1.5, 1.5, 13)[:, None]
    n = np.array([-1.0, 0.0, 1.0, 2.0, 5.0, 7.0, 12.0, 2.7])
    return [S(x, n), S(np.array([0.3, -1.0, 1.0, 1.4]), 4), S(0.3, np.array([0, 3])),
            S(normal(0, 2), np.array([3, 4])), S(rng().random((2, 3)), 10)]  # fmt: skip


ONLY = {"method": False, "dtypes": ("float32", "int64"), "tolerance": 1e-8}
VALUES = {"grad": False, "method": False, "out": False, "dtypes": (), "tolerance": 1e-8}
POLYNOMIALS = [
    *[f"{shift}chebyshev_polynomial_{k}" for shift in ("", "shifted_") for k in "tuvw"],
    "hermite_polynomial_h", "hermite_polynomial_he", "laguerre_polynomial_l",
    "legendre_polynomial_p",
]  # fmt: skip

ROWS = [
    Row("lgamma", above, inplace=True, node="LgammaBackward0", tolerance=1e-8),
    Row("digamma", above, inplace=True, node="DigammaBackward0", tolerance=1e-8),
    *[Row(name, lambda: [S(np.array([-0.3, -2.5, 1.4616, 100.0, 0.01]))], tolerance=1e-8,
          dtypes=()) for name in ("lgamma", "digamma")],
    Row("erfinv", within, inplace=True, node="ErfinvBackward0", tolerance=1e-8),
    Row("i0", plain, inplace=True, node="I0Backward0", tolerance=1e-8),
    Row("polygamma", lambda: [S(n, positive(3) + 0.1) for n in range(4)], method=False,
        node="PolygammaBackward0", tolerance=1e-7, dtypes=("float32",)),
    Row("Tensor.polygamma", lambda: [S(positive(3) + 0.1, 2)], method=False, out=False,
        tolerance=1e-7, dtypes=()),
    Row("mvlgamma", lambda: [S(positive(3, 2) + 2.0, p) for p in (1, 3)], inplace=True,
        tolerance=1e-8),
    *[Row(name, lambda: [S(positive(2, 3), positive(2, 3)), S(np.array([0.5, 2.0, 7.0]),
          positive(2, 3))], grad=False, inplace=True, dtypes=("float32",), tolerance=1e-8)
      for name in ("igamma", "igammac")],
    *[Row(name, odd, **VALUES) for name in (
        "lgamma", "digamma", "i0", "special.i0e", "special.i1", "special.i1e", "special.ndtr",
        "special.log_ndtr", "special.erfcx", "special.entr", "special.bessel_j1",
        "special.modified_bessel_i0", "special.modified_bessel_i1", "special.modified_bessel_k0",
        "special.modified_bessel_k1", "special.scaled_modified_bessel_k0",
        "special.scaled_modified_bessel_k1",
    )],
    *[Row(name, chances, **VALUES) for name in ("erfinv", "special.ndtri")],
    *[Row(f"special.{name}", plain, **ONLY) for name in (
        "i0e", "i1", "i1e", "ndtr", "log_ndtr", "erfcx",
    )],
    Row("special.entr", above, **ONLY),
    Row("special.ndtri", lambda: [S(unit(3, 4) / 2 + 0.5), S(np.array(0.3))], **ONLY),
    Row("special.xlog1py", lambda: [S(normal(3, 4), positive(4)), S(np.array([0.0, 0.0]),
        np.array([0.5, 2.0])), S(2.0, positive(3)), S(positive(3), 2.0)], **ONLY),
    Row("special.xlog1py", lambda: [S(np.array([0.0, 0.0, 1.0]), np.array([-1.0, NAN, -1.0]))],
        **VALUES),
    Row("special.zeta", lambda: [S(np.array([1.5, 2.0, 4.0]), positive(2, 3)), S(2.0, positive(3)),
        S(positive(3) + 1, 2.0)], **{**ONLY, "grad": False}),
    *[Row(f"special.{name}", plain, **{**ONLY, "grad": False, "tolerance": 1e-6}) for name in (
        "bessel_j0", "bessel_j1", "modified_bessel_i0", "modified_bessel_i1", "airy_ai",
        "spherical_bessel_j0",
    )],
    *[Row(f"special.{name}", above, **{**ONLY, "grad": False, "tolerance": 1e-6}) for name in (
        "bessel_y0", "bessel_y1", "modified_bessel_k0", "modified_bessel_k1",
        "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
    )],
    *[Row(f"special.{name}", degrees, **{**ONLY, "grad": False}) for name in POLYNOMIALS],
]  # fmt: skip
