"""Resampling, grids, and the loss of sequences."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, normal, unit

F = "nn.functional."


def row(name: str, samples: object, **options: object) -> Row:
    """A row of a function that is neither a method nor has ``out=``."""
    options = {"method": False, "out": False, "dtypes": ("float32",), **options}
    return Row(F + name, samples, **options)  # type: ignore[arg-type]


def resampled(mode: str, dims: int) -> list[Sample]:
    x = normal(2, 2, *(5, 4, 3)[:dims])
    aligned = mode not in ("nearest", "nearest-exact", "area")
    options = [{}, {"align_corners": True}] if aligned else [{}]
    return [
        S(x, **size, mode=mode, **given)
        for size in ({"size": 7}, {"size": (3, 6, 2)[:dims]}, {"scale_factor": 1.7},
                     {"scale_factor": 0.6, "recompute_scale_factor": True})
        for given in options
    ]  # fmt: skip


def antialiased(mode: str) -> list[Sample]:
    x = normal(1, 2, 7, 6)
    aligned = ({}, {"align_corners": True}) if mode != "lanczos" else ({},)
    return [S(x, size=size, mode=mode, antialias=True, **given) for given in aligned
            for size in ((3, 4), (9, 2))]  # fmt: skip


def pixels() -> np.ndarray:
    return (np.arange(2 * 3 * 64).reshape(2, 3, 8, 8) * 37 % 256).astype("uint8")


PADDINGS = ("zeros", "border", "reflection")


def grids(dims: int) -> list[Sample]:
    x, grid = normal(2, 2, *(4, 5, 3)[:dims]), unit(2, 3, *(2,) * (dims - 1), dims) * 1.7
    modes = ("bilinear", "nearest", "bicubic") if dims == 2 else ("bilinear", "nearest")
    return [S(x, grid, mode, padding, align) for mode in modes
            for padding in PADDINGS for align in (False, True)]  # fmt: skip


def log_probs(*shape: int) -> np.ndarray:
    x = normal(*shape)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def sequences() -> list[Sample]:
    targets = np.array([[1, 2, 2], [3, 1, 1]])
    x = log_probs(7, 2, 4)
    return [
        S(x, targets, [7, 6], [3, 2], reduction=reduction)
        for reduction in ("none", "mean", "sum")
    ] + [
        S(log_probs(5, 4), np.array([1, 0]), [5], [2], 3),
        S(x, targets, [2, 6], [3, 2], zero_infinity=True),
        S(x, targets, [7, 0], [3, 0]),
    ]  # fmt: skip


MODES = [("nearest", 1), ("nearest", 2), ("nearest", 3), ("nearest-exact", 1), ("nearest-exact", 2),
         ("nearest-exact", 3), ("linear", 1), ("bilinear", 2), ("trilinear", 3), ("bicubic", 2),
         ("area", 2)]  # fmt: skip

ROWS = [
    *[row("interpolate", lambda m=mode, d=dims: resampled(m, d), tolerance=1e-7)
      for mode, dims in MODES],
    *[row("interpolate", lambda m=mode: antialiased(m), tolerance=1e-7)
      for mode in ("bilinear", "bicubic", "lanczos")],
    row("interpolate", lambda: [
        S(pixels(), size=size, mode=mode, antialias=antialias)
        for mode in ("bilinear", "bicubic") for antialias in (False, True)
        for size in ((5, 11), (16, 3))
    ], grad=False, dtypes=()),
    row("grid_sample", lambda: grids(2), tolerance=1e-7),
    row("grid_sample", lambda: grids(3), tolerance=1e-7),
    row("affine_grid", lambda: [
        S(normal(2, 2, 3), (2, 1, 3, 4), False), S(normal(1, 3, 4), (1, 1, 2, 3, 2), True),
    ], node="AffineGridGeneratorBackward0"),
    row("ctc_loss", sequences, grad=False, tolerance=1e-7),
]  # fmt: skip
