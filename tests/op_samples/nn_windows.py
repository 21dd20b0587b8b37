"""Convolution, pooling, folding, borders: what slides over the last dimensions."""

from __future__ import annotations

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal

F = "nn.functional."
FLOATS = ("float32",)


def row(name: str, samples: object, **options: object) -> Row:
    """A row of a function that is neither a method nor has ``out=``."""
    options = {"method": False, "out": False, "dtypes": FLOATS, **options}
    return Row(F + name, samples, **options)  # type: ignore[arg-type]


def conv1() -> list[Sample]:
    return [
        S(normal(2, 3, 7), normal(4, 3, 3), normal(4)),
        S(normal(3, 7), normal(4, 3, 2), stride=2, padding=1),
        S(normal(2, 4, 9), normal(4, 2, 3), normal(4), dilation=2, groups=2, padding="same"),
        S(normal(2, 3, 5), normal(2, 3, 4), padding="same"),
        S(normal(0, 3, 5), normal(2, 3, 2), normal(2)),
    ]


def conv2() -> list[Sample]:
    return [
        S(normal(2, 3, 5, 6), normal(4, 3, 3, 2), normal(4)),
        S(normal(2, 3, 5, 6), normal(7, 3, 3, 3), normal(7), padding=1),
        S(normal(3, 5, 6), normal(2, 3, 2, 3), stride=(2, 1), padding=(0, 2), dilation=(1, 2)),
        S(normal(2, 4, 5, 5), normal(6, 2, 2, 2), normal(6), 1, "valid", 1, 2),
        S(normal(2, 3, 4, 4), normal(6, 1, 3, 3), normal(6), padding=1, groups=3),
        S(normal(2, 4, 3, 3), normal(5, 4, 1, 1), normal(5)),
        S(normal(2, 2, 5, 5), normal(3, 2, 2, 2), padding="same"),
    ]


def turned() -> list[Sample]:
    return [
        S(normal(2, 3, 4, 3), normal(3, 4, 3, 2), normal(4)),
        S(normal(3, 4, 3), normal(3, 2, 3, 3), None, 2, 1, 1),
        S(normal(2, 4, 3, 3), normal(4, 2, 2, 2), normal(4), stride=(2, 3), groups=2, dilation=2),
        S(normal(2, 3, 3, 3), normal(3, 2, 2, 2), None, 1, 0, (1, 0), 3, (2, 1)),
    ]


def ties() -> np.ndarray:
    """Few values, so that windows have several largest elements."""
    return np.asarray(normal(2, 2, 6, 7) > 0, float)


def holes() -> np.ndarray:
    x = normal(2, 2, 6, 7)
    x[0, 0, 1:3, 1:3] = np.nan
    x[0, 1, :4, :4] = -np.inf
    x[1, 0, 2, 3] = np.inf
    return x


POOLS = ((2,), (3, 2, 1), (3, 1, 1, 2), ((2, 3), (1, 2), (0, 1), 1, True))


def pools(x: np.ndarray) -> list[Sample]:
    return [S(x, *given) for given in POOLS] + [S(x[0], 2), S(x[:0], 2)]


def averages() -> list[Sample]:
    x = normal(2, 2, 6, 7)
    return [S(x, 2), S(x, 3, 2, 1), S(x, 3, 2, 1, True, False), S(x, (2, 3), 2, (0, 1), True),
            S(x, 3, 1, 0, False, True, 5), S(x[0], 2), S(x, 6)]  # fmt: skip


ROWS = [
    row("conv1d", conv1, node="ConvolutionBackward0"),
    row("conv2d", conv2, node="ConvolutionBackward0"),
    row("conv2d", lambda: [S(complex_normal(2, 2, 4, 4), complex_normal(3, 2, 2, 2),
                             complex_normal(3), padding=1)], dtypes=()),
    row("conv2d", lambda: [S(np.arange(50).reshape(1, 2, 5, 5), np.arange(12).reshape(3, 2, 2, 1))],
        grad=False, dtypes=()),
    row("conv3d", lambda: [
        S(normal(2, 2, 4, 3, 4), normal(3, 2, 2, 2, 3), normal(3), padding=1),
        S(normal(2, 3, 4, 4), normal(2, 2, 2, 2, 1), stride=2),
    ]),
    row("conv_transpose1d", lambda: [
        S(normal(2, 3, 5), normal(3, 2, 3), normal(2), 2, 1, 1),
        S(normal(3, 5), normal(3, 2, 3), dilation=2),
    ], node="ConvolutionBackward0"),
    row("conv_transpose2d", turned),
    row("conv_transpose2d", lambda: [S(complex_normal(2, 2, 3, 3), complex_normal(2, 3, 2, 2))],
        dtypes=()),
    row("conv_transpose3d",
        lambda: [S(normal(1, 2, 3, 2, 3), normal(2, 2, 2, 2, 2), normal(2), 2)]),
    *[row(f"max_pool{n}d", lambda n=n: [
        S(normal(2, 2, 6, *(4,) * (n - 1)), 2), S(normal(2, 6, *(5,) * (n - 1)), 3, 2, 1),
        S(normal(2, 2, 6, *(5,) * (n - 1)), 2, 2, 1, ceil_mode=True, return_indices=True),
    ]) for n in (1, 2, 3)],
    row("max_pool2d", lambda: pools(normal(2, 2, 6, 7)), node="MaxPool2DWithIndicesBackward0"),
    row("max_pool2d", lambda: [S(x, *given, return_indices=True) for given in POOLS[:2]
                               for x in (ties(), holes())], grad=False),
    row("max_pool2d", lambda: [S(np.arange(64).reshape(1, 8, 8) % 7, 3, 2, 1)], grad=False,
        dtypes=()),
    row("max_pool2d_with_indices", lambda: [S(normal(1, 2, 4, 4), 2)]),
    *[row(f"avg_pool{n}d", lambda n=n: [
        S(normal(2, 2, 6, *(4,) * (n - 1)), 2), S(normal(2, 6, *(5,) * (n - 1)), 3, 2, 1, True),
    ]) for n in (1, 2, 3)],
    row("avg_pool2d", averages, node="AvgPool2DBackward0"),
    row("avg_pool2d", lambda: [S(np.arange(-20, 16).reshape(1, 6, 6), 2),
                               S(np.arange(-20, 16).reshape(1, 6, 6), 3, 2, 1)], grad=False,
        dtypes=()),
    *[row(f"lp_pool{n}d", lambda n=n: [S(np.abs(normal(1, 2, *(4,) * n)), 2, 2),
                                       S(np.abs(normal(2, *(5,) * n)), 3.0, 2, 1, True)])
      for n in (1, 2, 3)],
    *[row(f"adaptive_avg_pool{n}d", lambda n=n: [
        S(normal(2, 2, *(6,) * n), 3), S(normal(2, *(7,) * n), 3), S(normal(2, 2, *(4,) * n), 1),
        S(normal(0, 2, *(4,) * n), 2), S(normal(1, 2, *(3,) * n), 5),
    ]) for n in (1, 2, 3)],
    *[row(f"adaptive_max_pool{n}d", lambda n=n: [
        S(normal(2, 2, *(6,) * n), 3), S(normal(2, *(7,) * n), 3, True),
        S(normal(1, 2, *(3,) * n), 5),
    ]) for n in (1, 2, 3)],
    row("adaptive_max_pool2d", lambda: [S(ties(), 3, True), S(holes(), (2, 3), True)], grad=False),
    *[row(f"max_unpool{n}d", lambda n=n: [
        S(normal(1, 2, *(2,) * n), np.arange(2**n).reshape((2,) * n) * np.ones((1, 2, *(1,) * n),
                                                                             int), 2)
    ], grad=False) for n in (1, 2, 3)],
    *[row(f"fractional_max_pool{n}d", lambda n=n: [
        S(normal(2, 2, *(7,) * n), 2, 4, return_indices=True,
          _random_samples=(normal(2, 2, n) % 1.0)),
    ], grad=False) for n in (2, 3)],
    row("unfold", lambda: [S(normal(2, 2, 5, 4), 2), S(normal(2, 6, 5), (2, 3), 2, 1, (1, 2))],
        node="Im2ColBackward0"),
    row("fold", lambda: [S(normal(2, 8, 12), (5, 4), 2), S(normal(8, 4), 4, 2, 1, 0, 2)],
        node="Col2ImBackward0"),
    *[Row(F + name, samples, method=False, dtypes=("float32", "int64"), out=False, node=node)
      for name, samples, node in (
        ("pixel_shuffle", lambda: [S(normal(2, 8, 2, 3), 2), S(normal(9, 1, 2), 3)],
         "PixelShuffleBackward0"),
        ("pixel_unshuffle", lambda: [S(normal(2, 2, 4, 6), 2), S(normal(1, 3, 6), 3)],
         "PixelUnshuffleBackward0"),
        ("channel_shuffle", lambda: [S(normal(2, 6, 2, 2), 3), S(normal(2, 6, 2, 2), 2)],
         "ChannelShuffleBackward0"),
      )],
    row("pad", lambda: [
        S(normal(2, 3, 4, 5), (-4, 2, 1, -3), "replicate"),
        S(normal(2, 3, 5), (2, -6), "replicate"),
        S(normal(2, 3, 4, 5), (1, 2, -1, 3), "reflect"),
        S(normal(2, 3, 4, 5), (-2, 2, 3, -1), "circular"),
    ]),
]  # fmt: skip
