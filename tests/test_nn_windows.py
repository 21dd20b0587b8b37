"""What the table of samples cannot say of convolution, pooling, resampling and sequence losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import devgrad
from devgrad.nn import functional as F

torch = pytest.importorskip("torch")
T = torch.nn.functional


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pair(array: np.ndarray, grad: bool = True) -> tuple[Any, Any]:
    """The array as a tensor of either library."""
    x, y = devgrad.from_numpy(array.copy()), torch.from_numpy(array.copy())
    if grad:
        x.requires_grad_(), y.requires_grad_()
    return x, y


def assert_same(ours: Any, theirs: Any, tolerance: float = 1e-10) -> None:
    np.testing.assert_allclose(
        ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=tolerance
    )


def compare(ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: np.ndarray) -> None:
    """Values, gradients, and gradients of gradients in both libraries."""
    leaves = [pair(a) for a in arrays]
    mine, other = [x for x, _ in leaves], [y for _, y in leaves]
    a, b = ours(*mine), theirs(*other)
    assert_same(a, b)
    weights = rng().standard_normal(tuple(a.shape))
    g, h = pair(weights)
    first = devgrad.autograd.grad(a, mine, g, create_graph=True)
    wanted = torch.autograd.grad(b, other, h, create_graph=True)
    for x, y in zip(first, wanted, strict=True):
        assert_same(x, y)
    second = devgrad.autograd.grad(sum((x * x).sum() for x in first), [*mine, g], allow_unused=True)
    wanted = torch.autograd.grad(sum((y * y).sum() for y in wanted), [*other, h], allow_unused=True)
    for x, y in zip(second, wanted, strict=True):
        assert (x is None) == (y is None)
        if y is not None:
            assert_same(x, y, 1e-8)


# --- convolution: every way of computing it, and blocks of every kind -----------------------------

CASES = {
    "columns": ((2, 3, 9, 8), (5, 3, 3, 3), {"padding": 1}),
    "columns, strided": ((2, 3, 9, 8), (5, 3, 3, 2), {"stride": 2, "dilation": 2}),
    "turned kernel": ((2, 4, 9, 8), (3, 4, 3, 3), {"padding": 2}),
    "pointwise": ((2, 6, 5, 5), (4, 3, 1, 1), {"groups": 2}),
    "depthwise": ((3, 4, 9, 8), (4, 1, 3, 3), {"padding": 1, "groups": 4, "stride": (1, 2)}),
    "depthwise, doubled": ((2, 3, 7, 8), (6, 1, 2, 3), {"groups": 3, "dilation": 2}),
}


@pytest.mark.parametrize("budget", [1 << 20, 2000, 300], ids=["whole", "images", "rows"])
@pytest.mark.parametrize("case", CASES)
def test_convolution_however_it_is_cut(
    case: str, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, kernel, options = CASES[case]
    x, w = rng().standard_normal(shape), rng().standard_normal(kernel)
    xp = devgrad.zeros(1)._type.xp
    monkeypatch.setattr(xp, "block_bytes", budget)
    compare(lambda a, b: F.conv2d(a, b, **options), lambda a, b: T.conv2d(a, b, **options), x, w)


@pytest.mark.parametrize("budget", [1 << 20, 300], ids=["whole", "rows"])
def test_transposed_convolution_however_it_is_cut(
    budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = rng().standard_normal((2, 4, 5, 4)), rng().standard_normal((4, 3, 3, 2))
    monkeypatch.setattr(devgrad.zeros(1)._type.xp, "block_bytes", budget)
    options = {"stride": 2, "padding": 1, "output_padding": 1, "dilation": (1, 2)}
    compare(
        lambda a, b: F.conv_transpose2d(a, b, **options),
        lambda a, b: T.conv_transpose2d(a, b, **options), x, w,
    )  # fmt: skip


def test_a_gradient_that_is_one_number_everywhere() -> None:
    """`sum()` gives an expanded gradient, which BLAS cannot read as it lies."""
    for shape, kernel in (((2, 3, 5, 5), (4, 3, 3, 3)), ((2, 3, 5, 5), (4, 3, 1, 1))):
        (x, y), (v, w) = pair(rng().standard_normal(shape)), pair(rng().standard_normal(kernel))
        F.conv2d(x, v).sum().backward()
        T.conv2d(y, w).sum().backward()
        assert_same(x.grad, y.grad)
        assert_same(v.grad, w.grad)


def test_time_batch_channels() -> None:
    arrays = [rng().standard_normal(s) for s in ((5, 2, 3), (3, 3, 4), (4,))]
    compare(lambda *a: F.conv_tbc(*a, 1), lambda *a: T.conv_tbc(*a, 1), *arrays)


# --- pooling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unpooling(dims: int) -> None:
    x = rng().permutation(2 * 3 * 4**dims).reshape(2, 3, *(4,) * dims) + 0.0
    name, back = f"max_pool{dims}d", f"max_unpool{dims}d"

    def there_and_back(lib: Any, a: Any) -> Any:
        values, indices = getattr(lib, name)(a, 2, return_indices=True)
        return getattr(lib, back)(values, indices, 2, output_size=a.shape) * a

    compare(lambda a: there_and_back(F, a), lambda a: there_and_back(T, a), x)


def test_unpooling_to_a_place_that_is_not_there() -> None:
    if not devgrad.zeros(1)._type.xp.checks_bounds:
        pytest.skip("to look would be to wait for the GPU")
    with pytest.raises(RuntimeError, match="Found an invalid max index: 99"):
        F.max_unpool2d(devgrad.ones(1, 1, 1), devgrad.tensor([[[99]]]), 2)


def test_fractional_pooling_draws_what_pytorch_draws() -> None:
    x = rng().standard_normal((2, 3, 9, 8))
    devgrad.manual_seed(3), torch.manual_seed(3)
    ours = F.fractional_max_pool2d(devgrad.from_numpy(x), (2, 3), output_ratio=(0.5, 0.6))
    theirs = T.fractional_max_pool2d(torch.from_numpy(x), (2, 3), output_ratio=(0.5, 0.6))
    assert_same(ours, theirs)


def test_pooling_without_a_graph_gives_the_same() -> None:
    x = devgrad.from_numpy(rng().standard_normal((2, 3, 9, 8)))
    recorded = F.max_pool2d(x.clone().requires_grad_(), (3, 2), 2, 1)
    assert recorded.requires_grad
    assert_same(F.max_pool2d(x, (3, 2), 2, 1), recorded.detach())


def test_the_border_is_never_the_largest() -> None:
    """Where all else is minus infinity, PyTorch takes the first element of the window, not of its
    border."""
    x = np.full((1, 1, 3, 3), -np.inf)
    ours = F.max_pool2d(devgrad.from_numpy(x), 2, 1, 1, return_indices=True)[1]
    theirs = T.max_pool2d(torch.from_numpy(x), 2, 1, 1, return_indices=True)[1]
    assert ours.tolist() == theirs.tolist()


# --- sequences ------------------------------------------------------------------------------------


def test_gradient_of_the_sequence_loss() -> None:
    x = rng().standard_normal((8, 3, 5))
    targets = np.array([[1, 2, 2, 4], [3, 0, 0, 0], [1, 1, 1, 1]])
    for zero_infinity in (False, True):
        (a, b) = pair(x)
        (s, t) = pair(targets, grad=False)
        options = {"zero_infinity": zero_infinity}
        ours = F.ctc_loss(a.log_softmax(2), s, [8, 5, 6], [4, 1, 3], **options)
        theirs = T.ctc_loss(b.log_softmax(2), t, (8, 5, 6), (4, 1, 3), **options)
        assert_same(ours, theirs)
        ours.backward(), theirs.backward()
        assert_same(a.grad, b.grad)


def test_the_sequence_loss_is_differentiated_once() -> None:
    a = devgrad.zeros(4, 1, 3, requires_grad=True)
    loss = F.ctc_loss(a.log_softmax(2), devgrad.tensor([[1, 2]]), [4], [2])
    (g,) = devgrad.autograd.grad(loss, a, create_graph=True)
    with pytest.raises(RuntimeError, match="_ctc_loss_backward is not implemented"):
        g.sum().backward()


def test_labels_behind_one_another() -> None:
    x = rng().standard_normal((7, 2, 4))
    x -= np.log(np.exp(x).sum(-1, keepdims=True))
    flat, lengths = np.array([1, 2, 2, 3]), [3, 1]
    ours = F.ctc_loss(devgrad.from_numpy(x), devgrad.from_numpy(flat), [7, 5], lengths)
    theirs = T.ctc_loss(torch.from_numpy(x), torch.from_numpy(flat), [7, 5], lengths)
    assert_same(ours, theirs)
    # PyTorch reads strided labels as if they lay side by side; they do not.
    wide = devgrad.from_numpy(np.repeat(flat, 2))[::2]
    assert_same(F.ctc_loss(devgrad.from_numpy(x), wide, [7, 5], lengths), theirs)


# --- grids ----------------------------------------------------------------------------------------


def test_the_old_default_is_announced() -> None:
    with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior"):
        F.grid_sample(devgrad.ones(1, 1, 2, 2), devgrad.zeros(1, 1, 1, 2))
    with pytest.warns(UserWarning, match="is deprecated. Use `nn.functional.interpolate`"):
        F.upsample_nearest(devgrad.ones(1, 1, 2), scale_factor=2)


# --- errors: PyTorch's phrase first ---------------------------------------------------------------


def ones(*shape: int) -> Callable[[Any], Any]:
    return lambda lib: lib.ones(*shape)


def call(name: str, *args: Any, **kwargs: Any) -> Any:
    def run(lib: Any) -> Any:
        def made(x: Any) -> Any:
            return x(lib) if callable(x) else x

        function = getattr(lib.nn.functional, name)
        return function(*map(made, args), **{k: made(v) for k, v in kwargs.items()})

    return run


X, W = ones(2, 3, 5, 5), ones(4, 3, 3, 3)
REFUSED = [
    (call("conv2d", X, ones(4, 2, 3, 3)), 90),
    (call("conv2d", ones(2, 3), W), 90),
    (call("conv2d", ones(2, 3, 2, 2), W), 110),
    (call("conv2d", X, W, ones(5)), 110),
    (call("conv2d", X, lambda lib: lib.ones(4, 3, 3, 3, dtype=lib.float64)), 75),
    (call("conv2d", X, W, groups=2), 90),
    (call("conv2d", ones(2, 4, 5, 5), ones(3, 2, 3, 3), groups=2), 90),
    (call("conv2d", X, W, groups=0), 30),
    (call("conv2d", X, W, stride=0), 30),
    (call("conv2d", X, W, padding=-1), 30),
    (call("conv2d", X, W, stride=(1, 2, 3)), 100),
    (call("conv2d", X, W, padding="same", stride=2), 60),
    (call("conv2d", X, W, padding="some"), 30),
    (call("conv_transpose2d", X, ones(4, 2, 3, 3)), 90),
    (call("conv_transpose2d", X, ones(3, 2, 3, 3), output_padding=1), 70),
    (call("max_pool2d", X, 2, 0), 25),
    (call("max_pool2d", X, 2, padding=2), 80),
    (call("max_pool2d", X, 2, padding=-1), 35),
    (call("max_pool2d", ones(1, 3, 1, 1), 2), 90),
    (call("max_pool2d", X, (2, 2, 2)), 75),
    (call("max_pool1d", ones(1, 3, 4), 2, padding=2), 90),
    (call("avg_pool2d", X, 2, divisor_override=0), 27),
    (call("adaptive_avg_pool2d", ones(2, 3), 2), 65),
    (call("adaptive_avg_pool2d", ones(1, 1, 0, 3), 2), 120),
    (call("adaptive_avg_pool2d", X, -1), 90),
    (call("adaptive_max_pool2d", ones(2, 3), 2), 65),
    (call("fractional_max_pool2d", X, 2), 70),
    (call("fractional_max_pool2d", X, 2, output_size=5), 60),
    (call("max_unpool2d", ones(1, 1, 2, 2), ones(1, 1, 2, 2), 2), 55),
    (call("unfold", ones(1, 3, 2, 2), 3), 150),
    (call("fold", ones(1, 11, 4), (3, 3), 2), 130),
    (call("fold", ones(1, 12, 5), (3, 3), 2), 190),
    (call("pixel_shuffle", ones(1, 3, 2, 2), 2), 140),
    (call("pixel_unshuffle", ones(1, 3, 3, 2), 2), 100),
    (call("channel_shuffle", ones(1, 3, 2, 2), 2), 70),
    (call("interpolate", X), 50),
    (call("interpolate", X, 3, 2), 50),
    (call("interpolate", X, (3, 3, 3)), 120),
    (call("interpolate", X, 3, align_corners=True), 110),
    (call("interpolate", X, 3, mode="linear"), 45),
    (call("interpolate", X, 0), 100),
    (call("interpolate", X, 3, mode="lanczos"), 40),
    (call("grid_sample", X, ones(2, 2, 2, 3), align_corners=False), 110),
    (call("grid_sample", X, ones(1, 2, 2, 2), align_corners=False), 130),
    (call("grid_sample", X, ones(2, 2, 2, 2), "trilinear", align_corners=False), 110),
    (call("affine_grid", ones(2, 3), (1, 1, 2, 2), align_corners=False), 100),
    (call("ctc_loss", ones(3, 2, 4), lambda lib: lib.ones(2, 2, dtype=lib.int64), (3, 3), (2, 3)),
     60),
    (call("ctc_loss", ones(3, 2, 4), lambda lib: lib.ones(2, 2, dtype=lib.int64), (4, 3), (2, 2)),
     60),
    (call("ctc_loss", ones(3, 2, 4), lambda lib: lib.ones(2, 2, dtype=lib.int64), (3, 3), (2, 2),
          blank=4), 27),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals_begin_as_in_pytorch(number: int) -> None:
    run, length = REFUSED[number]
    with pytest.raises(Exception) as theirs:
        run(torch)
    with pytest.raises(type(theirs.value)) as ours:
        run(devgrad)
    phrase = str(theirs.value)[:length]
    assert str(ours.value).replace("torch.cuda.", "torch.").startswith(phrase)
