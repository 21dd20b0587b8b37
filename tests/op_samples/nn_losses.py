"""Losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._base import S, Sample, normal, positive, unit
from ._nn import R, rows

REDUCTIONS = ("none", "mean", "sum")


def pairs(*args: Any, **kwargs: Any) -> Callable[[], list[Sample]]:
    """Two arrays of one shape, with each reduction; 0-dim and empty ones."""
    return lambda: [
        *[S(normal(3, 4), normal(3, 4)[::-1] + 0.3, *args, reduction=r, **kwargs)
          for r in REDUCTIONS],
        S(np.array(0.7), np.array(-0.4), *args, **kwargs),
        S(normal(0, 3), normal(0, 3), *args, reduction="none", **kwargs),
        R(normal(3), normal(3)[::-1] + 0.3, *args, reduction="average", **kwargs),
    ]  # fmt: skip


def probabilities(*shape: int) -> np.ndarray:
    return np.abs(unit(*shape))


def classes(*shape: int, n: int = 4) -> np.ndarray:
    return (np.arange(int(np.prod(shape))) * 7 % n).reshape(shape)


def images() -> list[Sample]:
    return [S(normal(2, 4, 3, 2), classes(2, 3, 2), reduction=r) for r in REDUCTIONS]


def by_class(**kwargs: Any) -> Callable[[], list[Sample]]:
    return lambda: [
        S(x, y, reduction=r, **options, **kwargs)
        for x, y in ((normal(3, 4), classes(3)), (normal(4), np.array(2)),
                     (normal(2, 4, 3), classes(2, 3)))
        for r, options in (("mean", {}), ("none", {}), ("mean", {"ignore_index": 1}),
                           ("sum", {"ignore_index": 3}))
    ]  # fmt: skip


def by_weighted_class(**kwargs: Any) -> Callable[[], list[Sample]]:
    return lambda: [
        S(x, y, reduction=r, weight=positive(4), ignore_index=1, **kwargs)
        for x, y in ((normal(3, 4), classes(3)), (normal(4), np.array(2)),
                     (normal(2, 4, 3), classes(2, 3)))
        for r in REDUCTIONS
    ]  # fmt: skip


def awkward_classes() -> list[Sample]:
    """Everything ignored, nothing at all, a class that there is not, sizes that do not fit."""
    ignored = np.full(3, -100)
    return [
        *[S(normal(3, 4), ignored, reduction=r) for r in REDUCTIONS],
        S(normal(0, 4), classes(0)), S(normal(0, 4), classes(0), reduction="sum"),
        S(normal(3, 4), classes(3).astype("uint8")),
        R(normal(3, 4), np.array([0, 4, 1])), R(normal(3, 4), np.array([0, -1, 1])),
        R(normal(3, 4), classes(2)), R(normal(3, 4, 2), classes(3, 3)),
        R(normal(3, 4), classes(3), weight=positive(3)), R(np.array(0.7), np.array(0)),
        R(normal(3, 4), classes(3).astype("int32")), R(normal(4), np.array([1, 2])),
        R(normal(3, 4), classes(3), reduction="average"),
    ]  # fmt: skip


def far(shape: tuple[int, ...], *args: Any, **kwargs: Any) -> Sample:
    return S(normal(*shape), normal(*shape)[::-1] + 0.3, *args, **kwargs)


def triplets(**more: Any) -> Callable[[], list[Sample]]:
    x = normal(3, 4)
    return lambda: [
        *[S(x, x[::-1] + 0.3, x - 0.9, swap=b, margin=2.0, reduction=r, **more)
          for r in REDUCTIONS for b in (False, True)],
        R(x, x, normal(4)), R(x, x, x, margin=-1.0), R(x, x, x, reduction="average"),
    ]  # fmt: skip


ROWS = [
    *rows("mse_loss", pairs()), *rows("l1_loss", pairs()), *rows("smooth_l1_loss", pairs()),
    *rows("smooth_l1_loss", pairs(beta=0.5)), *rows("huber_loss", pairs()),
    *rows("huber_loss", pairs(delta=0.5)),
    *rows("soft_margin_loss", lambda: [
        *[S(normal(3, 4), classes(3, 4, n=2) * 2 - 1, reduction=r) for r in REDUCTIONS],
        S(np.array(0.7), np.array(-1)), S(normal(0, 3), np.zeros((0, 3), int), reduction="sum"),
        R(normal(3), normal(3), reduction="average"),
    ]),
    *rows("smooth_l1_loss", lambda: [far((3,), beta=0.0), R(normal(3), normal(3), beta=-1.0)]),
    *rows("huber_loss", lambda: [R(normal(3), normal(3), delta=0.0)]),
    *[row for name in ("mse_loss", "l1_loss", "huber_loss") for row in rows(name, lambda: [
        *[far((3, 4), reduction=r, weight=positive(3, 4)) for r in REDUCTIONS],
        R(normal(3, 4), normal(3, 4), weight=positive(4)), R(normal(3, 4), normal(3)),
    ])],
    # What PyTorch warns of.
    *[row for name in ("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss") for row in rows(
        name, lambda: [S(normal(3, 4), normal(4) + 0.3)], grad=False)],
    *[row for name in ("mse_loss", "soft_margin_loss", "hinge_embedding_loss", "l1_loss")
      for row in rows(name, lambda: [
        far((3,), size_average=False), far((3,), reduce=False),
        far((3,), reduction="elementwise_mean"),
    ], grad=False)],
    *rows("mse_loss", lambda: [S(np.arange(3), normal(3)), R(np.arange(3), np.arange(3))],
          grad=False, dtypes=()),
    *rows("binary_cross_entropy", lambda: [
        *[S(probabilities(3, 4), probabilities(3, 4)[::-1], reduction=r) for r in REDUCTIONS],
        R(probabilities(3), normal(3)), R(normal(3), probabilities(3)),
        R(probabilities(3), probabilities(4)),
        R(probabilities(3), probabilities(3).astype("float32")),
    ]),
    *rows("binary_cross_entropy", lambda: [
        S(np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0, 0.0]), reduction="none"),
    ], grad=False),
    *rows("binary_cross_entropy_with_logits", lambda: [
        *[S(normal(3, 4), probabilities(3, 4), reduction=r) for r in REDUCTIONS],
        S(normal(3, 4) * 300, probabilities(3, 4), reduction="none"),
        *[S(normal(3, 4), probabilities(3, 4), pos_weight=np.arange(4), reduction=r)
          for r in REDUCTIONS],
        R(normal(3), probabilities(4)),
    ]),
    # PyTorch has no derivative for the weights.
    *rows("binary_cross_entropy", lambda: [
        S(probabilities(3, 4), probabilities(3, 4)[::-1], weight=positive(4)),
        S(probabilities(3, 4), probabilities(3, 4)[::-1], positive(3, 4), reduction="none"),
    ], grad=False),
    *rows("binary_cross_entropy_with_logits", lambda: [
        S(normal(3, 4), probabilities(3, 4), weight=positive(4)),
        *[S(normal(3, 4) * k, probabilities(3, 4), pos_weight=positive(4), reduction=r)
          for r in REDUCTIONS for k in (1, 200)],
        S(normal(3, 4), probabilities(3, 4), pos_weight=positive(4), weight=positive(3, 4)),
    ], grad=False),
    *rows("multilabel_soft_margin_loss", lambda: [
        *[S(normal(3, 4), classes(3, 4, n=2) * 1.0, reduction=r) for r in REDUCTIONS],
        S(normal(3, 4), classes(3, 4, n=2) * 1.0, weight=positive(4)), S(normal(4), positive(4)),
    ]),
    *rows("kl_div", lambda: [
        *[S(normal(3, 4), probabilities(3, 4), reduction=r) for r in ("none", "sum", "batchmean")],
        S(normal(3, 4), normal(3, 4), reduction="sum", log_target=True),
        R(normal(3), positive(3), reduction="average"),
    ]),
    *rows("kl_div", lambda: [S(normal(3), np.array([0.0, 0.5, 0.5]), reduction="none"),
                             S(normal(3, 4), probabilities(3, 4))], grad=False),
    *rows("poisson_nll_loss", lambda: [
        *[S(positive(3, 4), positive(3, 4)[::-1] * 3, log_input=a, full=b, reduction=r)
          for a, b, r in ((True, False, "mean"), (False, True, "sum"), (True, True, "none"))],
        R(normal(3), positive(3), reduction="average"),
    ]),
    *rows("gaussian_nll_loss", lambda: [
        *[far((3, 4), positive(3, 4), full=r == "sum", reduction=r) for r in REDUCTIONS],
        far((3, 4), positive(3)), far((3, 4), 0.5), far((3, 4), positive(3, 1)),
        R(normal(3, 4), normal(3, 4), -positive(3, 4)), R(normal(3, 4), normal(3, 4), -1.0),
        R(normal(3, 4), normal(3, 4), positive(2)),
        R(normal(3, 4), normal(3, 4), positive(3), reduction="average"),
    ]),
    # PyTorch's derivative of the first wants memory in order.
    *rows("nll_loss", images, grad=False), *rows("cross_entropy", images),
    *rows("nll_loss", by_class()), *rows("nll_loss", awkward_classes, grad=False),
    *rows("cross_entropy", by_class()), *rows("cross_entropy", awkward_classes, grad=False),
    *[row for name in ("nll_loss", "cross_entropy")
      for row in rows(name, by_weighted_class(), grad=False)],
    *rows("cross_entropy", by_weighted_class(label_smoothing=0.2), grad=False),
    *rows("cross_entropy", by_class(label_smoothing=0.2)),
    *rows("cross_entropy", lambda: [
        *[S(normal(*s), probabilities(*s), reduction=r, label_smoothing=e)
          for s, r, e in (((3, 4), "mean", 0.0), ((3, 4), "none", 0.3), ((4,), "mean", 0.3),
                          ((4,), "sum", 0.0), ((2, 4, 3), "mean", 0.3), ((2, 4, 3), "none", 0.0))],
        S(normal(3, 4), probabilities(3, 4), weight=positive(4)),
        R(normal(3, 4), probabilities(3, 4), ignore_index=1), R(normal(3, 4), classes(3, 4)),
        R(normal(3, 4), classes(3), label_smoothing=1.5),
    ]),
    *rows("cross_entropy", lambda: [S(normal(3, 4) * 500, classes(3)),
                                    S(normal(3, 4) * 500, classes(3), reduction="none")]),
    *rows("linear_cross_entropy", lambda: [
        S(normal(3, 2), normal(4, 2), classes(3), linear_bias=normal(4)),
        S(normal(2), normal(4, 2), np.array(1)),
        S(normal(3, 2), normal(4, 5, 2), classes(3, 5), linear_bias=normal(4, 5)),
        S(normal(3, 2), normal(4, 2), probabilities(3, 4), label_smoothing=0.1),
        R(normal(3, 2), normal(4, 3), classes(3)), R(normal(3, 2), normal(4), classes(3)),
        R(normal(2, 3, 2), normal(4, 2), classes(2, 3)), R(normal(2), normal(4, 5, 2), classes(5)),
        R(normal(3, 2), normal(4, 2), classes(3), linear_bias=normal(3)),
        R(normal(3, 2), normal(4, 2), probabilities(3, 4), ignore_index=0),
    ]),
    *rows("hinge_embedding_loss", lambda: [
        *[S(normal(3, 4), classes(3, 4, n=2) * 2 - 1, 0.8, reduction=r) for r in REDUCTIONS],
        S(normal(3), np.array([1, 0, -1])),
    ]),
    *rows("margin_ranking_loss", lambda: [
        *[S(normal(3, 4), normal(3, 4)[::-1] ** 2, classes(3, 4, n=2) * 2 - 1, 0.37, reduction=r)
          for r in REDUCTIONS],
        R(normal(3, 4), normal(4), np.array(1)),
    ]),
    *rows("multi_margin_loss", lambda: [
        *[S(normal(3, 4), classes(3), p, 0.8, reduction=r) for r in REDUCTIONS for p in (1, 2)],
        S(normal(4), np.array(1)),
        R(normal(3, 4), classes(3), 3), R(normal(3, 4), classes(2)),
        R(normal(3, 4), np.array([0, 1, 9])), R(normal(3, 4), classes(3), weight=positive(1, 4)),
    ], second=False),
    *rows("multi_margin_loss", lambda: [
        S(normal(3, 4), classes(3), weight=positive(4)),
        S(np.array([[1.0, 0.0, 1.0]]), np.array([0])),
    ], grad=False),
    *rows("multilabel_margin_loss", lambda: [
        *[S(normal(3, 4), np.array([[0, 2, -1, 1], [-1, 0, 1, 2], [3, 1, 0, 2]]), reduction=r)
          for r in REDUCTIONS],
        S(normal(4), np.array([1, 0, -1, 2])), R(normal(3, 4), classes(3)),
        R(normal(1, 4), np.array([[1, 9, -1, 0]])),
    ], second=False),
    *rows("cosine_embedding_loss", lambda: [
        *[far((3, 4), np.array([1, -1, -1]), -0.2, reduction=r) for r in REDUCTIONS],
        far((4,), np.array(1)), R(normal(3, 4), normal(3, 4), np.array(1)),
        R(normal(4), normal(4), np.array([1])), R(normal(3, 4), normal(3, 4), np.ones((3, 1))),
    ]),
    *rows("triplet_margin_loss", triplets(p=3)),
    *rows("triplet_margin_with_distance_loss", triplets()),
    *rows(".hinge_embedding_loss", lambda: [S(normal(3), np.array([1, -1, -1]), 0.8, 0)]),
    *rows(".margin_ranking_loss", lambda: [far((3,), np.array([1, -1, -1]), 0.8, 2)]),
    *rows(".cosine_embedding_loss", lambda: [far((3, 4), np.array([1, -1, -1]))]),
    *rows(".kl_div", lambda: [S(normal(3), probabilities(3)), S(normal(3), normal(3), 2,
                                                                log_target=True)]),
    *rows(".binary_cross_entropy_with_logits", lambda: [
        S(normal(3), probabilities(3)), S(normal(3), probabilities(3), None, None, 1),
    ]),
    *rows(".poisson_nll_loss", lambda: [S(normal(3), positive(3) * 3, True, True, 1e-8, 1)]),
    *rows(".triplet_margin_loss", lambda: [far((3, 4), normal(3, 4) - 1)]),
]  # fmt: skip
