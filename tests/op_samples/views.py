"""Rows for views, parts of tensors and conversions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ._base import Row, S, Sample, complex_normal, normal

C = complex_normal(3, 4)
EVERY = ("float32", "float16", "int64", "uint8", "bool")


def view_row(name: str, samples: Callable[[], list[Sample]], node: str | None = None,
             method: bool = True) -> Row:  # fmt: skip
    return Row(
        name, samples, node=node and f"{node}Backward0", method=method, out=False, dtypes=EVERY
    )


def on(*shapes_and_args: tuple[tuple[int, ...], tuple[object, ...]]) -> Callable[[], list[Sample]]:
    """Samples of an array of each shape, followed by arguments."""
    return lambda: [S(normal(*shape), *args) for shape, args in shapes_and_args]


def interleaved(*shape: int) -> np.ndarray:
    """A transposed array: views of it that a contiguous one would have are not all possible."""
    return normal(*shape[::-1]).T


PARTS = on(
    ((5, 3), (2,)), ((5, 3), (2, 1)), ((4,), (4,)), ((4,), (9,)), ((2, 6), (3, -1)), ((0, 3), (2,))
)

ROWS = [
    view_row(
        "Tensor.view",
        on(
            ((2, 3), (3, 2)),
            ((2, 3), ((6,),)),
            ((2, 3), (-1,)),
            ((2, 3), (1, 2, 3, 1)),
            ((), (1, 1)),
            ((1,), ((),)),
            ((0, 3), (3, 0)),
            ((4, 0), (-1, 4)),
            ((2, 6), (2, -1, 3)),
        ),
    ),
    view_row("Tensor.view_as", lambda: [S(normal(2, 3), normal(6))]),
    view_row(
        "reshape",
        lambda: [
            S(normal(2, 3), (3, 2)),
            S(normal(2, 3), (-1,)),
            S(normal(4), [2, 2]),
            S(interleaved(3, 4), (2, 6)),
            S(interleaved(3, 4), (3, 2, 2)),
            S(normal(0, 2), (0,)),
            S(normal(), (1,)),
            S(C.T, (2, 6)),
        ],
    ),
    view_row("Tensor.reshape", on(((2, 3), (3, 2)), ((2, 3), (-1,)))),
    view_row("Tensor.reshape_as", lambda: [S(interleaved(2, 3), normal(6))]),
    view_row(
        "flatten",
        lambda: [
            S(normal(2, 3, 4)),
            S(normal(2, 3, 4), 1),
            S(normal(2, 3, 4), 0, -2),
            S(normal(2, 3, 4), 1, 1),
            S(normal()),
            S(normal(3)),
            S(interleaved(2, 3, 4)),
            S(normal(2, 0)),
        ],
    ),
    view_row(
        "unflatten",
        on(
            ((2, 12), (1, (3, 4))),
            ((12, 2), (-2, (-1, 3))),
            ((4,), (0, (2, 2))),
            ((2, 0), (1, (0, 5))),
        ),
        "View",
    ),
    view_row("ravel", lambda: [S(normal(2, 3)), S(interleaved(2, 3)), S(normal()), S(normal(3))]),
    view_row(
        "transpose",
        on(
            ((2, 3), (0, 1)),
            ((2, 3, 4), (-1, 0)),
            ((2, 3), (1, 1)),
            ((), (0, -1)),
            ((0, 2), (0, 1)),
        ),
        "Transpose",
    ),
    view_row(
        "swapaxes",
        on(
            ((2, 3, 4), (0, 2)),
        ),
        "Transpose",
    ),
    view_row(
        "swapdims",
        on(
            ((2, 3, 4), (1, -1)),
        ),
        "Transpose",
    ),
    view_row("t", on(((2, 3), ()), ((3,), ()), ((), ())), "T"),
    view_row(
        "permute",
        lambda: [
            S(normal(2, 3, 4), (2, 0, 1)),
            S(normal(2, 3, 4), (-1, 0, 1)),
            S(normal(3), (0,)),
            S(normal(), ()),
            S(normal(0, 2), (1, 0)),
            S(C, (1, 0)),
        ],
        "Permute",
    ),
    view_row(
        "Tensor.permute",
        on(
            ((2, 3, 4), (2, 0, 1)),
        ),
        "Permute",
    ),
    view_row(
        "movedim",
        on(((2, 3, 4), (0, 2)), ((2, 3, 4), (-1, 0)), ((2, 3, 4), ((0, 1), (1, 2)))),
        "Permute",
    ),
    view_row(
        "moveaxis",
        on(
            ((2, 3, 4), (0, -1)),
        ),
        "Permute",
    ),
    view_row("adjoint", lambda: [S(normal(2, 3)), S(normal(2, 3, 4)), S(C)]),
    view_row("squeeze", on(((1, 3, 1), ()), ((2, 3), ()), ((), ())), "Squeeze"),
    Row(
        "squeeze",
        on(((1, 3, 1), (0,)), ((1, 3, 1), (-1,)), ((1, 3, 1), (1,)), ((), (0,))),
        node="SqueezeBackward1",
        out=False,
    ),
    Row(
        "squeeze",
        on(((1, 3, 1), ((0, 2),)), ((1, 3, 1), ((0, 1),)), ((1, 3, 1), ((),))),
        node="SqueezeBackward2",
        out=False,
    ),
    view_row(
        "unsqueeze",
        on(((2, 3), (0,)), ((2, 3), (1,)), ((2, 3), (-1,)), ((), (0,)), ((0,), (1,))),
        "Unsqueeze",
    ),
    view_row(
        "Tensor.expand",
        on(
            ((1, 3), (2, 3)),
            ((3,), (2, 3)),
            ((3, 1), (-1, 2)),
            ((), (2, 2)),
            ((3,), (3,)),
            ((1, 3), ((4, 2, 3),)),
            ((1, 3), (0, 3)),
        ),
        "Expand",
    ),
    view_row("Tensor.expand_as", lambda: [S(normal(3), normal(2, 3))], "Expand"),
    view_row("broadcast_to", on(((1, 3), ((2, 3),)), ((), ((2,),))), "Expand"),
    view_row(
        "broadcast_tensors",
        lambda: [S(normal(1, 3), normal(2, 1)), S(normal(2), normal()), S(normal(2))],
        "Expand",
        method=False,
    ),
    view_row(
        "narrow",
        on(((5, 3), (0, 1, 2)), ((5, 3), (-1, -2, 2)), ((5,), (0, 5, 0)), ((5,), (0, 0, 5))),
        "Slice",
    ),
    view_row(
        "select",
        on(((5, 3), (0, 1)), ((5, 3), (-1, -2)), ((5,), (0, 3)), ((2, 3, 4), (1, 0))),
        "Select",
    ),
    view_row(
        "diagonal",
        lambda: [
            S(normal(3, 3)),
            S(normal(3, 4), 1),
            S(normal(4, 3), -2),
            S(normal(2, 3, 4), 1, -1, 0),
            S(normal(3, 3), 5),
            S(C),
            S(normal(2, 3, 3), 0, 1, 2),
        ],
        "Diagonal",
    ),
    view_row(
        "Tensor.unfold",
        on(
            ((7,), (0, 3, 2)),
            ((7,), (0, 3, 1)),
            ((2, 6), (-1, 2, 3)),
            ((6, 2), (0, 4, 1)),
            ((), (0, 1, 1)),
            ((3,), (0, 0, 1)),
        ),
        "Unfold",
    ),
    view_row("real", lambda: [S(C), S(normal(2))]),
    Row(
        "imag",
        lambda: [S(C), S(C[0]), S(C[:, 0])],
        node="SelectBackward0",
        method=False,
        out=False,
        dtypes=(),
    ),
    Row(
        "view_as_real",
        lambda: [S(C), S(C[0, 0])],
        node="ViewAsRealBackward0",
        method=False,
        out=False,
        dtypes=(),
    ),
    Row(
        "view_as_complex",
        lambda: [S(normal(2, 3, 2)), S(normal(2))],
        node="ViewAsComplexBackward0",
        method=False,
        out=False,
        dtypes=("float32",),
    ),
    view_row("split", PARTS, "Split"),
    view_row(
        "split",
        on(((5, 3), ([2, 3],)), ((5, 3), ([1, 0, 2], 1)), ((4,), ((4,),))),
        "SplitWithSizes",
    ),
    view_row("split_with_sizes", on(((5, 3), ([2, 3],)), ((5, 3), ([1, 2], -1))), "SplitWithSizes"),
    view_row("chunk", PARTS),
    view_row(
        "tensor_split",
        on(
            ((5, 3), (2,)),
            ((5, 3), (3, -1)),
            ((5,), ((1, 3),)),
            ((5,), ([2, 9],)),
            ((2,), (3,)),
            ((5,), ((-2,),)),
        ),
        "Slice",
    ),
    view_row("hsplit", on(((4, 6), (2,)), ((6,), (3,)), ((4, 6), ([1, 2],))), "Slice"),
    view_row("vsplit", on(((4, 6), (2,)), ((4, 6), ([1],))), "Slice"),
    view_row(
        "dsplit",
        on(
            ((2, 3, 4), (2,)),
        ),
        "Slice",
    ),
    view_row("unbind", on(((2, 3), ()), ((2, 3), (-1,)), ((3,), ()), ((2, 0), ())), "Unbind"),
    view_row("atleast_1d", on(((), ()), ((2,), ())), method=False),
    view_row("atleast_2d", on(((), ()), ((2,), ()), ((2, 3), ())), method=False),
    view_row("atleast_3d", on(((), ()), ((2,), ()), ((2, 3), ()), ((2, 3, 4), ())), method=False),
    view_row(
        "clone",
        lambda: [S(normal(2, 3)), S(interleaved(2, 3)), S(normal()), S(C), S(normal(0))],
        "Clone",
    ),
    view_row("Tensor.contiguous", lambda: [S(normal(2, 3)), S(interleaved(2, 3))]),
    view_row("Tensor.double", lambda: [S(normal(2)), S(np.array([1, 2]))]),
    Row("Tensor.float", lambda: [S(normal(2)), S(np.array([1, 2]))], grad=False, out=False),
    Row("Tensor.long", lambda: [S(normal(2)), S(np.array([1, 2]))], grad=False, out=False),
    Row("Tensor.bool", lambda: [S(normal(2)), S(np.array([1, 0]))], grad=False, out=False),
    view_row("Tensor.cdouble", lambda: [S(normal(2)), S(C)]),
    view_row("Tensor.type_as", lambda: [S(normal(2), C), S(normal(2), normal(3))]),
]
