"""The text of a tensor: golden strings, then PyTorch itself as the oracle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devgrad._printing import (
    get_printoptions,
    printoptions,
    set_printoptions,
    tensor_text,
)

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is the oracle of this test")

DEFAULTS = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80, "sci_mode": None}
OPTION_NAMES = {*DEFAULTS, "profile"}
NAN, INF = math.nan, math.inf


@pytest.fixture(autouse=True)
def _default_options() -> Iterator[None]:
    set_printoptions(profile="default")
    yield
    set_printoptions(profile="default")


def text_of(array: Any, **facts: Any) -> str:
    """The text of an array or of what becomes one; Python floats become float32."""
    if not isinstance(array, np.ndarray):
        array = np.asarray(array)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        elif array.dtype.kind == "c":
            array = array.astype(np.complex64)
    return tensor_text(array, dtype_name=array.dtype.name, **facts)


# --- golden strings, read off PyTorch 2.13 -----------------------------------------------------

# fmt: off
GOLDEN: list[tuple[str, Any, dict[str, Any], str]] = [
    # name, elements, facts and print options, text
    ("0-d float", 1.0, {}, "tensor(1.)"),
    ("0-d fraction", 2.5, {}, "tensor(2.5000)"),
    ("0-d int", 7, {}, "tensor(7)"),
    ("0-d bool", True, {}, "tensor(True)"),
    ("0-d nan", NAN, {}, "tensor(nan)"),
    ("0-d negative zero", -0.0, {}, "tensor(-0.)"),
    ("0-d complex", 1.5 - 2j, {}, "tensor(1.5000-2.j)"),
    ("0-d small", 1.0e-5, {}, "tensor(1.0000e-05)"),
    ("whole floats", [1.0, -2.0, 30.0], {}, "tensor([ 1., -2., 30.])"),
    ("fractions", [1.0, 2.5], {}, "tensor([1.0000, 2.5000])"),
    ("three decades", [1.0, 1000.0, 0.0], {}, "tensor([   1., 1000.,    0.])"),
    ("beyond three decades", [1.0, 1001.0, 0.0], {},
     "tensor([1.0000e+00, 1.0010e+03, 0.0000e+00])"),
    ("small", [1e-5, 1.0], {}, "tensor([1.0000e-05, 1.0000e+00])"),
    ("huge", [2e8, 3e8], {}, "tensor([2.0000e+08, 3.0000e+08])"),
    ("huge float64", np.array([1e300, -2e-300, np.inf]), {},
     "tensor([ 1.0000e+300, -2.0000e-300,          inf], dtype=torch.float64)"),
    ("1e8 is not yet huge", [1e8, 99999999.0], {}, "tensor([100000000., 100000000.])"),
    ("1e-4 is not yet small", np.array([1e-4, 5e-4]), {},
     "tensor([0.0001, 0.0005], dtype=torch.float64)"),
    ("nan and inf among whole floats", [1.0, NAN, INF, -INF], {}, "tensor([1., nan, inf, -inf])"),
    ("nan and inf among fractions", [1.5, NAN, -INF], {}, "tensor([1.5000,    nan,   -inf])"),
    ("nan alone does not widen", [NAN, 0.0, INF], {}, "tensor([nan, 0., inf])"),
    ("negative zero", [0.0, -0.0, 1.0], {}, "tensor([0., -0., 1.])"),
    ("scientific nan", [1e-6, NAN, -INF, -0.0], {},
     "tensor([1.0000e-06,        nan,       -inf, -0.0000e+00])"),
    ("float16", np.array([0.1, 65504.0, 6e-8], np.float16), {},
     "tensor([9.9976e-02, 6.5504e+04, 5.9605e-08], dtype=torch.float16)"),
    ("float32 is widened before it is rounded", [0.00025, 0.15], {"precision": 8},
     "tensor([0.00025000, 0.15000001])"),
    ("float64", np.array([1.0, 2.0]), {}, "tensor([1., 2.], dtype=torch.float64)"),
    ("default float64", np.array([1.0, 2.0]), {"default_dtype_name": "float64"},
     "tensor([1., 2.])"),
    ("float32 under default float64", [1.0, 2.0], {"default_dtype_name": "float64"},
     "tensor([1., 2.], dtype=torch.float32)"),
    ("complex128 under default float64", np.array([1.0 + 2j]), {"default_dtype_name": "float64"},
     "tensor([1.+2.j])"),
    ("ints", [1, -20, 300], {}, "tensor([  1, -20, 300])"),
    ("int32", np.array([[1, 2], [3, 4]], np.int32), {},
     "tensor([[1, 2],\n"
     "        [3, 4]], dtype=torch.int32)"),
    ("uint64", np.array([2**64 - 1, 0], np.uint64), {},
     "tensor([18446744073709551615,                    0], dtype=torch.uint64)"),
    ("bools", [True, False], {}, "tensor([ True, False])"),
    ("complex", [1 + 2j, -3.5 - 4j], {}, "tensor([ 1.0000+2.j, -3.5000-4.j])"),
    ("complex whole", [1 + 2j, -30 - 40j], {}, "tensor([  1.+2.j, -30.-40.j])"),
    ("complex scientific", [complex(1e-6, 1), complex(-1, -1e6)], {},
     "tensor([ 1.0000e-06+1.0000e+00j, -1.0000e+00-1.0000e+06j])"),
    ("complex nan and inf", [complex(NAN, -INF), complex(-INF, NAN), complex(-0.0, -0.0)], {},
     "tensor([nan-infj, -inf+nanj, -0.-0.j])"),
    ("complex128 matrix", np.array([[1.25 + 0j, 0j], [1j, -10.5 + 2j]]), {},
     "tensor([[  1.2500+0.j,   0.0000+0.j],\n"
     "        [  0.0000+1.j, -10.5000+2.j]], dtype=torch.complex128)"),
    ("matrix", [[1.0, 2.0], [3.0, 4.0]], {"requires_grad": True},
     "tensor([[1., 2.],\n"
     "        [3., 4.]], requires_grad=True)"),
    ("matrix aligned", [[1.5, -200.0], [30.0, 4.0]], {},
     "tensor([[   1.5000, -200.0000],\n"
     "        [  30.0000,    4.0000]])"),
    ("cube", np.arange(8).reshape(2, 2, 2), {},
     "tensor([[[0, 1],\n"
     "         [2, 3]],\n"
     "\n"
     "        [[4, 5],\n"
     "         [6, 7]]])"),
    ("four axes", np.arange(4).reshape(2, 1, 2, 1), {},
     "tensor([[[[0],\n"
     "          [1]]],\n"
     "\n"
     "\n"
     "        [[[2],\n"
     "          [3]]]])"),
    ("wrapped", np.arange(30), {},
     "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
     "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"),
    ("wrapped matrix", np.arange(40).reshape(2, 20) * 100, {},
     "tensor([[   0,  100,  200,  300,  400,  500,  600,  700,  800,  900, 1000, 1100,\n"
     "         1200, 1300, 1400, 1500, 1600, 1700, 1800, 1900],\n"
     "        [2000, 2100, 2200, 2300, 2400, 2500, 2600, 2700, 2800, 2900, 3000, 3100,\n"
     "         3200, 3300, 3400, 3500, 3600, 3700, 3800, 3900]])"),
    ("wrapped at 20", np.arange(8), {"linewidth": 20},
     "tensor([0, 1, 2, 3,\n"
     "        4, 5, 6, 7])"),
    ("one per line at least", np.arange(3), {"linewidth": 1},
     "tensor([0,\n"
     "        1,\n"
     "        2])"),
    ("summarised", np.arange(1001), {}, "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    ("an axis too short to be cut", np.zeros((2, 501), np.float32), {},
     "tensor([[0., 0., 0.,  ..., 0., 0., 0.],\n"
     "        [0., 0., 0.,  ..., 0., 0., 0.]])"),
    ("summarised matrix", np.arange(10000, dtype=np.float32).reshape(100, 100) / 10000, {},
     "tensor([[0.0000e+00, 1.0000e-04, 2.0000e-04,  ..., 9.7000e-03, 9.8000e-03,\n"
     "         9.9000e-03],\n"
     "        [1.0000e-02, 1.0100e-02, 1.0200e-02,  ..., 1.9700e-02, 1.9800e-02,\n"
     "         1.9900e-02],\n"
     "        [2.0000e-02, 2.0100e-02, 2.0200e-02,  ..., 2.9700e-02, 2.9800e-02,\n"
     "         2.9900e-02],\n"
     "        ...,\n"
     "        [9.7000e-01, 9.7010e-01, 9.7020e-01,  ..., 9.7970e-01, 9.7980e-01,\n"
     "         9.7990e-01],\n"
     "        [9.8000e-01, 9.8010e-01, 9.8020e-01,  ..., 9.8970e-01, 9.8980e-01,\n"
     "         9.8990e-01],\n"
     "        [9.9000e-01, 9.9010e-01, 9.9020e-01,  ..., 9.9970e-01, 9.9980e-01,\n"
     "         9.9990e-01]])"),
    ("summarised cube", np.arange(1000).reshape(10, 10, 10), {"threshold": 999, "edgeitems": 1},
     "tensor([[[  0,  ...,   9],\n"
     "         ...,\n"
     "         [ 90,  ...,  99]],\n"
     "\n"
     "        ...,\n"
     "\n"
     "        [[900,  ..., 909],\n"
     "         ...,\n"
     "         [990,  ..., 999]]])"),
    ("no edge items", np.arange(4).reshape(2, 2), {"threshold": 3, "edgeitems": 0},
     "tensor([...], size=(2, 2))"),
    ("no edge items, not summarised", np.arange(4), {"edgeitems": 0},
     "tensor([0, 1, 2, 3], size=(4,))"),
    ("empty", np.empty(0, np.float32), {}, "tensor([])"),
    ("empty int64 names its dtype", np.empty(0, np.int64), {}, "tensor([], dtype=torch.int64)"),
    ("empty matrix", np.empty((0, 3), np.float32), {"requires_grad": True},
     "tensor([], size=(0, 3), requires_grad=True)"),
    ("empty bool matrix", np.empty((2, 0), np.bool_), {},
     "tensor([], size=(2, 0), dtype=torch.bool)"),
    ("empty complex", np.empty((0, 1), np.complex64), {},
     "tensor([], size=(0, 1), dtype=torch.complex64)"),
    ("grad_fn", 10.0, {"grad_fn_name": "SumBackward0", "requires_grad": True},
     "tensor(10., grad_fn=<SumBackward0>)"),
    ("grad_fn of C++", [3.0, 0.0],
     {"grad_fn_name": "torch::autograd::CopySlices", "requires_grad": True},
     "tensor([3., 0.], grad_fn=<CopySlices>)"),
    ("cuda", [1.0, 2.0], {"device_text": "cuda:0"}, "tensor([1., 2.], device='cuda:0')"),
    ("all suffixes", np.array([0.5, 2.0]),
     {"device_text": "cuda:1", "grad_fn_name": "MulBackward0", "requires_grad": True},
     "tensor([0.5000, 2.0000], device='cuda:1', dtype=torch.float64,\n"
     "       grad_fn=<MulBackward0>)"),
    ("suffix wrapped", np.arange(16) / 16,
     {"device_text": "cuda:0", "grad_fn_name": "NativeLayerNormBackward0"},
     "tensor([0.0000, 0.0625, 0.1250, 0.1875, 0.2500, 0.3125, 0.3750, 0.4375, 0.5000,\n"
     "        0.5625, 0.6250, 0.6875, 0.7500, 0.8125, 0.8750, 0.9375],\n"
     "       device='cuda:0', dtype=torch.float64, grad_fn=<NativeLayerNormBackward0>)"),
    ("tangent", 1.0, {"tangent_text": "2.0"}, "tensor(1., tangent=2.0)"),
    ("parameter", [[1.0, 2.0], [3.0, 4.0]],
     {"prefix": "Parameter containing:\ntensor(", "requires_grad": True},
     "Parameter containing:\n"
     "tensor([[1., 2.],\n"
     "        [3., 4.]], requires_grad=True)"),
    ("subclass", [[1, 2], [3, 4]], {"prefix": "Measurement("},
     "Measurement([[1, 2],\n"
     "             [3, 4]])"),
    ("precision 0", [1.5, 2.5], {"precision": 0}, "tensor([2, 2])"),
    ("precision 10", [0.1], {"precision": 10}, "tensor([0.1000000015])"),
    ("scientific on", [1.0, 20.0, 0.0], {"sci_mode": True},
     "tensor([1.0000e+00, 2.0000e+01, 0.0000e+00])"),
    ("scientific on, but nothing to measure", [0.0, NAN], {"sci_mode": True}, "tensor([0., nan])"),
    ("scientific off", [1e-7, 1e9], {"sci_mode": False},
     "tensor([         0.0000, 1000000000.0000])"),
    ("short", [3.14159, 2.71828], {"profile": "short"}, "tensor([3.14, 2.72])"),
]
# fmt: on


@pytest.mark.parametrize(
    ("elements", "keywords", "expected"),
    [row[1:] for row in GOLDEN],
    ids=[row[0] for row in GOLDEN],
)
def test_golden(elements: Any, keywords: dict[str, Any], expected: str) -> None:
    options = {name: value for name, value in keywords.items() if name in OPTION_NAMES}
    facts = {name: value for name, value in keywords.items() if name not in OPTION_NAMES}
    with printoptions(**options):
        assert text_of(elements, **facts) == expected


def test_a_tensor_without_array_prints_its_size_and_any_dtype_but_the_default() -> None:
    assert (
        tensor_text(None, shape=(2, 3), dtype_name="float32", device_text="meta")
        == "tensor(..., device='meta', size=(2, 3))"
    )
    assert (
        tensor_text(None, shape=(0,), dtype_name="int64", device_text="meta", requires_grad=False)
        == "tensor(..., device='meta', size=(0,), dtype=torch.int64)"
    )
    with pytest.raises(ValueError, match="needs the shape"):
        tensor_text(None, dtype_name="float32")


# --- only what is shown is converted -----------------------------------------------------------


class CountingArray:
    """An array that offers what the printer may use, and counts the elements it hands out."""

    def __init__(self, array: np.ndarray, counts: list[int]) -> None:
        self._array = array
        self._counts = counts
        self.shape = array.shape

    def __getitem__(self, key: Any) -> CountingArray:
        return CountingArray(self._array[key], self._counts)

    def tolist(self) -> Any:
        self._counts.append(self._array.size)
        return self._array.tolist()


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((), 1),
        ((1000,), 1000),
        ((1001,), 6),
        ((10**12,), 6),
        ((10**5, 10**5), 36),
        ((4, 10**6), 24),
        ((10**6, 4), 24),
        ((10**4, 2, 10**4), 72),
        ((7, 1, 7, 3, 10**6), 6 * 6 * 3 * 6),
    ],
)
def test_no_element_is_converted_that_is_not_shown(shape: tuple[int, ...], shown: int) -> None:
    array = np.broadcast_to(np.float32(2.0), shape)
    counts: list[int] = []
    text = tensor_text(CountingArray(array, counts), dtype_name="float32")
    assert sum(counts) == shown
    assert text.count("2.") == shown


# --- the options -------------------------------------------------------------------------------


def test_options_start_at_the_defaults_and_come_back_as_keywords() -> None:
    assert get_printoptions() == DEFAULTS
    set_printoptions(precision=7, threshold=5, edgeitems=1, linewidth=33, sci_mode=True)
    changed = get_printoptions()
    assert changed == {
        "precision": 7,
        "threshold": 5,
        "edgeitems": 1,
        "linewidth": 33,
        "sci_mode": True,
    }
    set_printoptions(profile="default")
    set_printoptions(**changed)
    assert get_printoptions() == changed
    changed["precision"] = 1
    assert get_printoptions()["precision"] == 7


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ({"profile": "default"}, {}),
        ({"profile": "short"}, {"precision": 2, "edgeitems": 2}),
        ({"profile": "full"}, {"threshold": INF}),
        ({"profile": "short", "precision": 6}, {"precision": 6, "edgeitems": 2}),
        ({"profile": "unheard-of", "linewidth": 60}, {"linewidth": 60}),
        ({"precision": 0, "edgeitems": 0}, {"precision": 0, "edgeitems": 0}),
        ({"sci_mode": False}, {"sci_mode": False}),
    ],
)
def test_profiles_and_single_options(arguments: dict[str, Any], changes: dict[str, Any]) -> None:
    set_printoptions(**arguments)
    assert get_printoptions() == DEFAULTS | changes


def test_every_call_sets_sci_mode_but_leaves_the_other_options() -> None:
    set_printoptions(sci_mode=True, precision=2)
    set_printoptions(edgeitems=4)
    assert get_printoptions() == DEFAULTS | {"precision": 2, "edgeitems": 4}


@pytest.mark.parametrize("name", ["precision", "edgeitems"])
def test_negative_counts_are_refused_before_anything_changes(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be 0 or more, but got -1"):
        set_printoptions(**{"profile": "short", "linewidth": 20, name: -1})
    assert get_printoptions() == DEFAULTS


def test_printoptions_restores_also_after_an_error() -> None:
    set_printoptions(precision=3, sci_mode=False)
    before = get_printoptions()
    with pytest.raises(KeyError), printoptions(profile="short", linewidth=40, sci_mode=True):
        assert get_printoptions() == DEFAULTS | {
            "precision": 2,
            "edgeitems": 2,
            "linewidth": 40,
            "sci_mode": True,
        }
        raise KeyError
    assert get_printoptions() == before
    with pytest.raises(TypeError), printoptions(width=3):
        pass
    assert get_printoptions() == before


def test_an_infinite_linewidth_breaks_no_line() -> None:
    with printoptions(linewidth=INF, threshold=INF):
        text = text_of(np.arange(2000), requires_grad=True)
    assert text == "tensor([" + ", ".join(f"{i:4d}" for i in range(2000)) + "], requires_grad=True)"


# --- against PyTorch ---------------------------------------------------------------------------


@contextmanager
def both_print_with(options: dict[str, Any]) -> Iterator[None]:
    with torch._tensor_str.printoptions(**options), printoptions(**options):
        yield


def facts_of(tensor: Any) -> dict[str, Any]:
    """What a ``Tensor.__repr__`` would tell the printer about a tensor."""
    return {
        "dtype_name": str(tensor.dtype).removeprefix("torch."),
        "default_dtype_name": str(torch.get_default_dtype()).removeprefix("torch."),
        "grad_fn_name": tensor.grad_fn and tensor.grad_fn.name(),
        "requires_grad": tensor.requires_grad,
    }


def assert_same_text(tensor: Any, **more: Any) -> None:
    array = tensor.detach().resolve_conj().resolve_neg().numpy()
    assert tensor_text(array, **facts_of(tensor), **more) == repr(tensor)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "precision": st.integers(0, 10),
        "threshold": st.sampled_from([0, 1, 5, 20, INF]),
        "edgeitems": st.integers(0, 4),
        "linewidth": st.one_of(st.integers(0, 40), st.integers(41, 200)),
        "sci_mode": st.sampled_from([None, True, False]),
        "profile": st.sampled_from(["default", "short", "full"]),
    },
)
DTYPES = [
    *("float16", "float32", "float32", "float64", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
]
SHAPES = st.one_of(
    st.just(()),
    st.tuples(st.integers(0, 60)),
    st.tuples(st.integers(0, 12), st.integers(0, 12)),
    st.lists(st.integers(1, 5), min_size=3, max_size=4).map(tuple),
    st.lists(st.integers(0, 2), min_size=3, max_size=6).map(tuple),
)
EDGE_FLOATS = st.sampled_from(
    # the borders of scientific notation, of rounding, and of the dtypes
    [
        *(0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, 1e-4, 9.9999e-5, -1e-4, 1e8, 99999999.0),
        *(1.00000001e8, 1000.0, 1001.0, 0.001, 0.1, 9.99995, 0.99996, 65504.0, 6e-8),
        *(3.4028235e38, 1e-45, 1.7976931348623157e308, 5e-324, 2.0**53, -123456.789),
    ]
)
SPECIAL_FLOATS = st.sampled_from([NAN, -NAN, INF, -INF, 0.0, -0.0])
REALS = st.one_of(
    st.integers(-1100, 1100).map(float),
    st.floats(-10, 10),
    st.floats(-2000, 2000, width=16),
    st.builds(
        lambda digits, power: digits * 10.0**power, st.floats(-9.99, 9.99), st.integers(-12, 12)
    ),
    st.floats(),
    EDGE_FLOATS,
)


@st.composite
def real_values(draw: st.DrawFn) -> list[float]:
    """Values of one of several kinds, with infinities, NaN and zeros in some of the lists."""
    kind = draw(
        st.sampled_from(
            [
                REALS,
                EDGE_FLOATS,
                st.integers(-1100, 1100).map(float),
                st.floats(-9, 9),
                st.floats(1e-3, 1),
            ]
        )
    )
    if draw(st.booleans()):
        kind = st.one_of(kind, SPECIAL_FLOATS)
    return draw(st.lists(kind, min_size=1, max_size=12))


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    shape = draw(SHAPES)
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        one = st.integers(max(-20, limits.min), 120) | st.integers(limits.min, limits.max)
        values = np.array(draw(st.lists(one, min_size=1, max_size=12)), dtype)
    elif dtype.kind == "b":
        values = np.array(draw(st.lists(st.booleans(), min_size=1, max_size=12)))
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            if dtype.kind == "c":
                # assigned part by part: a sum would turn inf and -0 into something else
                real, imag = draw(real_values()), draw(real_values())
                values = np.empty(max(len(real), len(imag)), dtype)
                values.real = np.resize(real, values.shape)
                values.imag = np.resize(imag, values.shape)
            else:
                values = np.array(draw(real_values())).astype(dtype)
    return np.resize(values, shape)


@needs_torch
@settings(max_examples=1500, deadline=None)
@given(array=arrays(), options=OPTIONS)
def test_any_array_under_any_options_prints_as_in_pytorch(
    array: np.ndarray, options: dict[str, Any]
) -> None:
    with both_print_with(options):
        assert_same_text(torch.from_numpy(array))


@needs_torch
@settings(max_examples=600, deadline=None)
@given(array=arrays())
def test_any_array_under_the_default_options_prints_as_in_pytorch(array: np.ndarray) -> None:
    assert_same_text(torch.from_numpy(array))


@needs_torch
# PyTorch's own: the first dual tensor makes it compile its decompositions.
@pytest.mark.filterwarnings("ignore:`torch.jit.*` is deprecated:DeprecationWarning")
@settings(max_examples=500, deadline=None)
@given(
    array=arrays().filter(lambda array: array.dtype.kind in "fc"),
    options=OPTIONS,
    default=st.sampled_from(["float16", "float32", "float64"]),
    default_device=st.sampled_from(["cpu", "cuda"]),
    how=st.sampled_from(["plain", "leaf", "node", "slices", "parameter", "subclass", "dual"]),
)
def test_suffixes_and_prefixes_as_in_pytorch(
    array: np.ndarray, options: dict[str, Any], default: str, default_device: str, how: str
) -> None:
    tensor = torch.from_numpy(array)
    more: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch, torch.autograd.forward_ad.dual_level():
        if default_device == "cuda":
            # With CUDA as the default it is the CPU that PyTorch prints.
            patch.setattr(torch._C, "_get_default_device", lambda: "cuda")
            more["device_text"] = "cpu"
        if how in ("leaf", "node", "slices"):
            tensor.requires_grad_()
        if how == "node":
            tensor = tensor.reshape(tensor.shape[::-1])
        elif how == "slices":
            tensor = tensor.clone()
            tensor.view(-1)[:0] = 0
        elif how == "parameter":
            tensor = torch.nn.Parameter(tensor)
            more["prefix"] = "Parameter containing:\ntensor("
        elif how == "subclass":
            tensor = tensor.as_subclass(type("Measurement", (torch.Tensor,), {}))
            more["prefix"] = "Measurement("
        before = torch.get_default_dtype()
        torch.set_default_dtype(getattr(torch, default))
        try:
            with both_print_with(options):
                if how == "dual":
                    tangent = torch.ones_like(tensor)
                    tensor = torch.autograd.forward_ad.make_dual(tensor, tangent)
                    more["tangent_text"] = format(tangent)
                assert_same_text(tensor, **more)
        finally:
            torch.set_default_dtype(before)


@needs_torch
@settings(max_examples=150, deadline=None)
@given(
    shape=SHAPES,
    dtype=st.sampled_from(["float32", "float64", "complex64", "int64", "bool"]),
    requires_grad=st.booleans(),
    linewidth=st.integers(10, 90),
)
def test_meta_tensors_print_as_in_pytorch(
    shape: tuple[int, ...], dtype: str, requires_grad: bool, linewidth: int
) -> None:
    tensor = torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
    if tensor.is_floating_point():
        tensor.requires_grad_(requires_grad)
    with both_print_with({"linewidth": linewidth}):
        text = tensor_text(None, shape=shape, device_text="meta", **facts_of(tensor))
        assert text == repr(tensor)


@needs_torch
@pytest.mark.parametrize("precision", range(11))
@pytest.mark.parametrize("sci_mode", [None, True, False])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_every_precision_as_in_pytorch(precision: int, sci_mode: bool | None, dtype: str) -> None:
    rng = np.random.default_rng(precision)
    with both_print_with({"precision": precision, "sci_mode": sci_mode}):
        for scale in (1e-6, 1e-3, 1.0, 1e3):
            numbers = rng.standard_normal((3, 7)) * scale
            numbers[0, :3] = NAN, 0.0, -INF
            assert_same_text(torch.from_numpy(numbers).to(getattr(torch, dtype)))
            assert_same_text(torch.from_numpy(numbers.round()).to(getattr(torch, dtype)))


@needs_torch
@pytest.mark.parametrize(
    "shape",
    [
        (1000,),
        (1001,),
        (10**7,),
        (1000, 1000),
        (2, 501),
        (6, 167),
        (7, 167),
        (501, 2),
        (11, 10, 10),
        (2, 2, 2, 2, 63),
        (8, 7, 6, 5),
        (1001, 1),
        (1, 1, 1001, 1),
    ],
)
def test_summarised_tensors_print_as_in_pytorch(shape: tuple[int, ...]) -> None:
    count = math.prod(shape)
    assert_same_text(torch.arange(count).reshape(shape))
    assert_same_text(torch.linspace(-1, 1, count).reshape(shape))
    # The middle, which is not shown, has no say in the notation or the width.
    middle_is_huge = torch.ones(shape)
    middle_is_huge.view(-1)[count // 2] = 1.5e30
    assert_same_text(middle_is_huge)


@needs_torch
def test_views_print_as_in_pytorch() -> None:
    base = torch.randn(40, 50, generator=torch.Generator().manual_seed(0))
    for view in (base.T, base[::7, ::9], base[:, :1].expand(40, 60), base[3], base[3, 4]):
        assert_same_text(view)
    complex_base = torch.view_as_complex(base.reshape(40, 25, 2))
    for view in (complex_base.conj(), complex_base.imag, complex_base.conj().imag):
        assert_same_text(view)


@needs_torch
def test_set_printoptions_changes_the_options_as_in_pytorch() -> None:
    before = torch._tensor_str.get_printoptions()
    try:
        for arguments in (
            {"precision": 2, "sci_mode": True},
            {"linewidth": 50},
            {"profile": "short"},
            {"profile": "full", "edgeitems": 5},
            {"threshold": 7, "sci_mode": False},
            {"profile": "default"},
        ):
            set_printoptions(**arguments)
            torch.set_printoptions(**arguments)
            assert get_printoptions() == torch._tensor_str.get_printoptions()
    finally:
        torch.set_printoptions(**before)
