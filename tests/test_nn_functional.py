"""What the table of operations cannot say of nn.functional.

Fused operations against the same thing composed of simple ones, in every order; large arrays, which
are worked through in blocks; random functions seeded alike; changes in place; running statistics;
derivatives where there is none, and PyTorch has made a choice.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from placement import numpy_of, placed

import devgrad
import devgrad.nn.functional as F

torch = pytest.importorskip("torch")
TF = torch.nn.functional


def both(array: Any) -> tuple[Any, Any]:
    """The array as a leaf of devgrad's and of PyTorch's."""
    return tuple(placed(lib, np.array(array)).requires_grad_() for lib in (devgrad, torch))


def agree(ours: Any, theirs: Any, tolerance: float = 1e-9) -> None:
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(numpy_of(ours), numpy_of(theirs), rtol=tolerance, atol=tolerance)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


# --- fused and composed ---------------------------------------------------------------------------


def standardized(x: Any, dims: tuple[int, ...], eps: float = 1e-5) -> Any:
    centred = x - x.mean(dims, keepdim=True)
    return centred / ((centred * centred).mean(dims, keepdim=True) + eps).sqrt()


def composed_cross_entropy(x: Any, target: Any, weight: Any = None) -> Any:
    log_probabilities = x - x.logsumexp(1, keepdim=True)
    chosen = -log_probabilities.gather(1, target.unsqueeze(1)).squeeze(1)
    if weight is None:
        return chosen.mean()
    return (chosen * weight[target]).sum() / weight[target].sum()


CLASSES = np.array([1, 0, 4])
WEIGHT = np.array([0.3, 1.5, 0.7, 2.0, 0.1])
COMPOSED: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "silu": (F.silu, lambda x: x * x.sigmoid()),
    "gelu": (F.gelu, lambda x: x * (1 + (x * 0.5**0.5).erf()) / 2),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: x / 2 * (1 + ((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)).tanh()),
    ),
    "softplus": (F.softplus, lambda x: (1 + x.exp()).log()),
    "softplus 3": (lambda x: F.softplus(x, 3.0), lambda x: (1 + (3 * x).exp()).log() / 3),
    "logsigmoid": (F.logsigmoid, lambda x: x.sigmoid().log()),
    "mish": (F.mish, lambda x: x * (1 + x.exp()).log().tanh()),
    "elu": (
        lambda x: F.elu(x, 1.5),
        lambda x: devgrad.where(x > 0, x, 1.5 * (x.exp() - 1)),
    ),
    "glu": (lambda x: F.glu(x[:, :4]), lambda x: x[:, :2] * x[:, 2:4].sigmoid()),
    "softmax": (
        lambda x: F.softmax(x, 1),
        lambda x: x.exp() / x.exp().sum(1, keepdim=True),
    ),
    "log_softmax": (lambda x: F.log_softmax(x, 1), lambda x: x - x.logsumexp(1, keepdim=True)),
    "layer_norm": (lambda x: F.layer_norm(x, (5,)), lambda x: standardized(x, (1,))),
    "rms_norm": (
        lambda x: F.rms_norm(x, (5,), eps=1e-3),
        lambda x: x / ((x * x).mean(1, keepdim=True) + 1e-3).sqrt(),
    ),
    "batch_norm": (
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: standardized(x, (0,)),
    ),
    "group_norm": (
        lambda x: F.group_norm(x.reshape(1, 3, 5), 1),
        lambda x: standardized(x.reshape(1, 3, 5), (1, 2)),
    ),
    "cross_entropy": (
        lambda x: F.cross_entropy(x, placed(devgrad, CLASSES)),
        lambda x: composed_cross_entropy(x, placed(devgrad, CLASSES)),
    ),
    "cross_entropy weighted": (
        lambda x: F.cross_entropy(x, placed(devgrad, CLASSES), placed(devgrad, WEIGHT)),
        lambda x: composed_cross_entropy(x, placed(devgrad, CLASSES), placed(devgrad, WEIGHT)),
    ),
    "bce_with_logits": (
        lambda x: F.binary_cross_entropy_with_logits(x, x.detach().cos().abs()),
        lambda x: (
            -x.detach().cos().abs() * x.sigmoid().log()
            - (1 - x.detach().cos().abs()) * (1 - x.sigmoid()).log()
        ).mean(),
    ),
    "mse_loss": (
        lambda x: F.mse_loss(x**2, x.detach() + 1),
        lambda x: ((x**2 - x.detach() - 1) ** 2).mean(),
    ),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_fused_and_composed_agree_in_three_orders(name: str) -> None:
    found = []
    for function in COMPOSED[name]:
        x = placed(devgrad, normal(3, 5)).requires_grad_()
        value = function(x)
        orders = [value]
        for seed in range(3):
            weights = placed(devgrad, np.asarray(normal(*value.shape, seed=seed)))
            (value,) = devgrad.autograd.grad((value * weights).sum(), x, create_graph=True)
            orders.append(value)
        found.append(orders)
    for fused, composed in zip(*found, strict=True):
        assert fused.abs().max() > 0
        np.testing.assert_allclose(numpy_of(fused), numpy_of(composed), rtol=1e-8, atol=1e-9)


# --- blocks ---------------------------------------------------------------------------------------

ROWS, COLUMNS = 70, 1000  # more than a block, and no multiple of one
LARGE: dict[str, Callable[[Any, Any], Any]] = {
    **{name: lambda f, x, name=name: getattr(f, name)(x)
       for name in ("silu", "gelu", "mish", "softplus", "logsigmoid", "elu", "leaky_relu",
                    "hardswish", "hardsigmoid", "relu")},
    "gelu tanh": lambda f, x: f.gelu(x, approximate="tanh"),
    "glu": lambda f, x: f.glu(x),
    "softmax": lambda f, x: f.softmax(x, 1),
    "softmax of columns": lambda f, x: f.softmax(x, 0),
    "softmax in the middle": lambda f, x: f.softmax(x.reshape(7, 10, 1000), 1),
    "softmax of large numbers": lambda f, x: f.softmax(x * 100, 1),
    "log_softmax": lambda f, x: f.log_softmax(x, 1),
    "log_softmax of large numbers": lambda f, x: f.log_softmax(x * 100, 1),
    "layer_norm": lambda f, x: f.layer_norm(x + 3, (COLUMNS,), x[0], x[1]),
    "rms_norm": lambda f, x: f.rms_norm(x, (COLUMNS,), x[0]),
    "batch_norm": lambda f, x: f.batch_norm(x, None, None, x[0], x[1], training=True),
    "batch_norm of images": lambda f, x: f.batch_norm(
        x.reshape(7, 10, 100, 10), None, None, x[0, :10], x[1, :10], training=True),
    "group_norm": lambda f, x: f.group_norm(x.reshape(7, 10, 1000), 5, x[0, :10], x[1, :10]),
    "instance_norm": lambda f, x: f.instance_norm(x.reshape(7, 10, 1000), weight=x[0, :10]),
    "mse_loss": lambda f, x: f.mse_loss(x, x.detach() + 1),
    "smooth_l1_loss": lambda f, x: f.smooth_l1_loss(x, x.detach() * 2),
    "bce_with_logits": lambda f, x: f.binary_cross_entropy_with_logits(x, x.detach().sigmoid()),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("layout", ["in order", "transposed"])
def test_large_arrays(name: str, layout: str) -> None:
    array = (normal(ROWS, COLUMNS) * 2).astype("float32")
    if layout == "transposed":
        array = np.asfortranarray(array)
    results = []
    for lib, functions in ((devgrad, F), (torch, TF)):
        x = placed(lib, array.copy(order="K")).requires_grad_()
        y = LARGE[name](functions, x)
        weights = placed(lib, np.asarray(normal(*y.shape)).astype("float32"))
        (y * weights).sum().backward()
        results.append((y, x.grad))
        whole = LARGE[name](functions, x)  # the gradient of a sum is one number, repeated
        whole.sum().backward()
        results[-1] += (x.grad,)
    for ours, theirs in zip(*results, strict=True):
        agree(ours, theirs, 2e-3 if "norm" in name else 2e-4)


@pytest.mark.parametrize("options", [{}, {"ignore_index": 3}, {"reduction": "none"}])
def test_large_cross_entropy(options: dict[str, Any]) -> None:
    results = []
    for lib, functions in ((devgrad, F), (torch, TF)):
        x = placed(lib, (normal(ROWS, COLUMNS) * 30).astype("float32")).requires_grad_()
        target = placed(lib, np.arange(ROWS) * 13 % 7)
        loss = functions.cross_entropy(x, target, **options)
        loss.sum().backward()
        results.append((loss, x.grad))
    for ours, theirs in zip(*results, strict=True):
        agree(ours, theirs, 1e-4)


# --- awkward places -------------------------------------------------------------------------------

KINKS = [
    ("relu", [0.0, -0.0]), ("elu", [0.0], 2.0), ("celu", [0.0], 2.0), ("selu", [0.0]),
    ("leaky_relu", [0.0, -0.0]), ("hardtanh", [-1.0, 1.0]), ("relu6", [0.0, 6.0]),
    ("hardsigmoid", [-3.0, 3.0]), ("hardswish", [-3.0, 3.0]), ("hardshrink", [-0.5, 0.5]),
    ("softshrink", [-0.5, 0.5]), ("threshold", [0.5], 0.5, 2.0), ("prelu", [0.0], "weight"),
    ("softplus", [20.0, np.nextafter(20.0, 30.0)]),
]  # fmt: skip


@pytest.mark.parametrize("case", KINKS, ids=lambda case: case[0])
def test_slopes_at_kinks_and_far_out(case: Any) -> None:
    name, places, *rest = case
    x, y = both(np.array([*places, np.inf, -np.inf, 1e4, -1e4]))
    arguments = [both(np.array([0.25])) if a == "weight" else (a, a) for a in rest]
    for lib, leaf, k in ((F, x, 0), (TF, y, 1)):
        getattr(lib, name)(leaf, *[pair[k] for pair in arguments]).sum().backward()
    agree(x.grad, y.grad)


def test_everything_ignored() -> None:
    x, y = both(normal(3, 4))
    target = np.full(3, -100)
    for functions, lib, leaf in ((F, devgrad, x), (TF, torch, y)):
        loss = functions.cross_entropy(leaf, placed(lib, target))
        assert loss.isnan()
        functions.cross_entropy(leaf, placed(lib, target), reduction="sum").backward()
    agree(x.grad, y.grad)
    assert not x.grad.any()


def test_an_ignored_sample_may_be_infinite() -> None:
    array = normal(3, 4)
    array[1] = np.inf
    x, y = both(array)
    for functions, lib, leaf in ((F, devgrad, x), (TF, torch, y)):
        functions.cross_entropy(leaf, placed(lib, np.array([0, -100, 3]))).backward()
    agree(x.grad[0], y.grad[0])
    agree(x.grad[2], y.grad[2])
    assert not x.grad[1].any()


@pytest.mark.parametrize("options", [
    {"padding_idx": 2}, {"padding_idx": -3}, {"scale_grad_by_freq": True},
    {"padding_idx": 2, "scale_grad_by_freq": True},
])  # fmt: skip
def test_gradients_of_tables(options: dict[str, Any]) -> None:
    indices = np.array([[0, 2, 2], [4, 4, 0]])
    w, v = both(normal(5, 3))
    for functions, lib, table in ((F, devgrad, w), (TF, torch, v)):
        (functions.embedding(placed(lib, indices), table, **options) ** 2).sum().backward()
    agree(w.grad, v.grad)


@pytest.mark.parametrize("norm_type", [2.0, 1.0, float("inf")])
@pytest.mark.parametrize("name", ["embedding", "embedding_bag"])
def test_rows_are_scaled_down_in_place(name: str, norm_type: float) -> None:
    w, v = both(normal(5, 3))
    for functions, lib, table in ((F, devgrad, w), (TF, torch, v)):
        indices = placed(lib, np.array([[0, 2, 2], [4, 4, 0]]))
        before = table._version
        found = getattr(functions, name)(indices, table, max_norm=0.5, norm_type=norm_type)
        assert table._version > before
        found.sum().backward()
    agree(w, v)
    agree(w.grad, v.grad)


def test_rows_are_scaled_down_by_themselves() -> None:
    w, v = (x.detach() for x in both(normal(5, 3)))
    for lib, table in ((devgrad, w), (torch, v)):
        indices = placed(lib, np.array([0, 2, 2]))
        assert lib.embedding_renorm_(table, indices, 0.5, 2.0) is table
    agree(w, v)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        devgrad.embedding_renorm_(w.requires_grad_(), placed(devgrad, np.array([0])), 0.5)


# --- running statistics ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_running_statistics(name: str) -> None:
    kept = []
    for functions, lib in ((F, devgrad), (TF, torch)):
        mean, var = (placed(lib, np.full(3, k, "float32")) for k in (0, 1))
        for step in range(3):
            x = placed(lib, (normal(4, 3, 5, seed=step) * 1e-4).astype("float32"))
            switch = {"training": True} if name == "batch_norm" else {}
            out = getattr(functions, name)(x, mean, var, momentum=0.3, **switch)
        switch = {"batch_norm": {}, "instance_norm": {"use_input_stats": False}}[name]
        kept.append((out, mean, var, getattr(functions, name)(x, mean, var, **switch)))
        assert lib is torch or mean._version == 3
    for ours, theirs in zip(*kept, strict=True):
        agree(ours, theirs, 1e-5)


def test_normalisation_by_given_statistics_is_differentiable() -> None:
    results = []
    for functions, lib in ((F, devgrad), (TF, torch)):
        x, w, b = (placed(lib, normal(*s, seed=k)).requires_grad_()
                   for k, s in enumerate(((4, 3, 2), (3,), (3,))))  # fmt: skip
        mean, var = placed(lib, normal(3)), placed(lib, normal(3) ** 2)
        y = functions.batch_norm(x, mean, var, w, b)
        first = lib.autograd.grad((y**3).sum(), [x, w, b], create_graph=True)
        results.append((y, *first, *lib.autograd.grad((first[0] ** 2).sum(), [x, w, b])))
    for ours, theirs in zip(*results, strict=True):
        agree(ours, theirs)


# --- random functions -----------------------------------------------------------------------------


def image(lib: Any) -> Any:
    return lib.from_numpy(normal(2, 3, 4, 5).astype("float32")).requires_grad_()


def sequence(lib: Any) -> Any:
    return lib.from_numpy(normal(2, 3, 4).astype("float32")).requires_grad_()


RANDOM: dict[str, Callable[[Any, Any], Any]] = {
    "dropout": lambda lib, f: f.dropout(image(lib), 0.3),
    "dropout, transposed": lambda lib, f: f.dropout(image(lib).transpose(0, 2), 0.3),
    "dropout, strided": lambda lib, f: f.dropout(image(lib)[..., ::2], 0.3),
    "dropout of doubles": lambda lib, f: f.dropout(image(lib).double(), 0.3),
    "dropout of all": lambda lib, f: f.dropout(image(lib), 1.0),
    "dropout of nothing": lambda lib, f: f.dropout(image(lib), 0.0),
    "dropout in evaluation": lambda lib, f: f.dropout(image(lib), training=False),
    "dropout1d": lambda lib, f: f.dropout1d(sequence(lib)),
    "dropout1d of one": lambda lib, f: f.dropout1d(sequence(lib)[0]),
    "dropout2d": lambda lib, f: f.dropout2d(image(lib)),
    "dropout3d": lambda lib, f: f.dropout3d(image(lib).unsqueeze(-1)),
    "dropout3d of one": lambda lib, f: f.dropout3d(image(lib)),
    "alpha_dropout": lambda lib, f: f.alpha_dropout(image(lib), 0.3, True),
    "feature_alpha_dropout": lambda lib, f: f.feature_alpha_dropout(image(lib), 0.3, True),
    "native_dropout": lambda lib, f: lib.native_dropout(image(lib), 0.3, True)[0],
    "rrelu": lambda lib, f: f.rrelu(image(lib), training=True),
    "rrelu of doubles": lambda lib, f: f.rrelu(image(lib).double(), 0.1, 0.9, True),
    "gumbel_softmax": lambda lib, f: f.gumbel_softmax(image(lib), tau=0.7),
    "gumbel_softmax, hard": lambda lib, f: f.gumbel_softmax(image(lib), hard=True, dim=1),
    "attention": lambda lib, f: f.scaled_dot_product_attention(
        sequence(lib), sequence(lib), sequence(lib), dropout_p=0.4),
}  # fmt: skip


@pytest.mark.parametrize("name", RANDOM)
def test_the_same_seed_gives_the_same_choice(name: str) -> None:
    results = []
    for functions, lib in ((F, devgrad), (TF, torch)):
        lib.manual_seed(3)
        y = RANDOM[name](lib, functions)
        results.append((y, lib.rand(3, device="cpu"), y.requires_grad))
    (ours, after, differentiable), (theirs, expected, wanted) = results
    agree(ours, theirs, 1e-6)
    agree(after, expected)  # as many numbers were drawn
    assert differentiable == wanted


@pytest.mark.parametrize("p", [0.3, 1.0])
@pytest.mark.parametrize("name", ["dropout", "alpha_dropout", "rrelu"])
def test_gradients_of_random_functions(name: str, p: float) -> None:
    x, y = (lib.from_numpy(normal(3, 4)).requires_grad_() for lib in (devgrad, torch))
    for functions, lib, leaf in ((F, devgrad, x), (TF, torch, y)):
        lib.manual_seed(3)
        options = {"upper": p} if name == "rrelu" else {"p": p}
        (getattr(functions, name)(leaf, training=True, **options) ** 2).sum().backward()
    agree(x.grad, y.grad)


# --- in place -------------------------------------------------------------------------------------

INPLACE = [
    "relu", "relu6", "silu", "mish", "elu", "selu", "celu", "leaky_relu", "hardtanh", "hardswish",
    "hardsigmoid", "rrelu", "dropout", "dropout1d",
]  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_in_place(name: str) -> None:
    x, y = (lib.from_numpy(normal(3, 4)).requires_grad_() for lib in (devgrad, torch))
    for functions, lib, leaf in ((F, devgrad, x), (TF, torch, y)):
        lib.manual_seed(3)
        changed = leaf * 2
        assert getattr(functions, name)(changed, inplace=True) is changed
        assert changed._version > 0
        (changed * changed).sum().backward()
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            getattr(functions, name)(leaf, inplace=True)
    agree(x.grad, y.grad, 1e-7)  # PyTorch's 1/6 is a float32


@pytest.mark.parametrize("name, arguments", [
    ("relu_", ()), ("elu_", (1.5,)), ("celu_", (1.5,)), ("selu_", ()), ("leaky_relu_", (0.2,)),
    ("hardtanh_", (-0.5, 0.5)), ("threshold_", (0.1, 0.2)), ("rrelu_", (0.1, 0.2)),
])  # fmt: skip
def test_underscore_forms(name: str, arguments: tuple[Any, ...]) -> None:
    x, y = (z.detach() for z in both(normal(3, 4)))
    assert getattr(F, name)(x, *arguments) is x
    agree(x, getattr(TF, name)(y, *arguments))
    if hasattr(torch, name):
        x, y = (z.detach() for z in both(normal(3, 4)))
        assert getattr(devgrad, name)(x, *arguments) is x
        agree(x, getattr(torch, name)(y, *arguments))


@pytest.mark.parametrize(
    "name", ["dropout_", "feature_dropout_", "alpha_dropout_", "feature_alpha_dropout_"]
)
def test_dropout_in_place(name: str) -> None:
    x, y = (lib.from_numpy(normal(3, 4)) for lib in (devgrad, torch))
    for lib, leaf in ((devgrad, x), (torch, y)):
        lib.manual_seed(3)
        assert getattr(lib, name)(leaf, 0.5, True) is leaf
    agree(x, y)
    leaf = devgrad.ones(2, 2, requires_grad=True)
    assert getattr(devgrad, name)(leaf, 0.5, False) is leaf


# --- errors and warnings --------------------------------------------------------------------------


@pytest.mark.parametrize("call", [
    lambda lib, f: f.dropout(lib.ones(2), 1.5),
    lambda lib, f: lib.dropout(lib.ones(2), 1.5, True),
    lambda lib, f: f.dropout(lib.ones(2, dtype=lib.int64)),
    lambda lib, f: f.dropout1d(lib.ones(2)),
    lambda lib, f: lib.feature_dropout(lib.ones(2), 0.5, True),
    lambda lib, f: f.cross_entropy(
        lib.ones(2, 3), lib.ones(2, dtype=lib.int64), lib.ones(3, requires_grad=True)),
])  # fmt: skip
def test_refused_as_in_torch(call: Any) -> None:
    with pytest.raises((RuntimeError, ValueError)) as expected:
        call(torch, TF)
    with pytest.raises(expected.type) as got:
        call(devgrad, F)
    assert str(got.value).startswith(str(expected.value)[:30])


@pytest.mark.parametrize("call", [
    lambda lib, f: f.dropout2d(lib.ones(2, 3, 4)),
    lambda lib, f: f.dropout3d(lib.ones(2, 3, 4)),
    lambda lib, f: f.gumbel_softmax(lib.ones(3), eps=1e-3),
    lambda lib, f: f.mse_loss(lib.ones(3), lib.ones(1)),
    lambda lib, f: f.mse_loss(lib.ones(3), lib.ones(3), reduce=True),
    lambda lib, f: f.kl_div(lib.ones(3), lib.ones(3)),
    lambda lib, f: f.embedding_bag(lib.ones(3, 2), lib.ones(1, 2, dtype=lib.int64)),
])  # fmt: skip
def test_warned_of_as_in_torch(call: Any) -> None:
    said = []
    for lib, functions in ((torch, TF), (devgrad, F)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(lib, functions)
        said.append([str(w.message)[:60] for w in caught])
        files = [w.filename for w in caught]
    assert said[0] == said[1] != []
    assert files == [__file__] * len(files), "the warning does not point to the user's line"
