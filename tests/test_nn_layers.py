"""Activations, losses, dropout and distances as modules, compared with PyTorch's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch
from placement import placed

import devgrad

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def numbers(lib: Any, *shape: int, seed: int = 0, dtype: str = "float64") -> Any:
    return placed(lib, np.random.default_rng(seed).standard_normal(shape).astype(dtype))


ACTIVATIONS: dict[str, Any] = {
    "CELU": [{}, {"alpha": 2.0}], "ELU": [{}, {"alpha": 2.0}],
    "GELU": [{}, {"approximate": "tanh"}],
    "GLU": [{}, {"dim": 0}], "Hardshrink": [{}, {"lambd": 1.0}], "Hardsigmoid": [{}],
    "Hardswish": [{}], "Hardtanh": [{}, {"min_val": -0.1, "max_val": 2.0}],
    "LeakyReLU": [{}, {"negative_slope": 0.3}], "LogSigmoid": [{}], "LogSoftmax": [{"dim": 1}],
    "Mish": [{}], "PReLU": [{}, {"num_parameters": 6, "init": 0.1}], "ReLU": [{}], "ReLU6": [{}],
    "SELU": [{}], "SiLU": [{}], "Sigmoid": [{}], "Softmax": [{"dim": 0}], "Softmin": [{"dim": -1}],
    "Softplus": [{}, {"beta": 2.0, "threshold": 1.0}], "Softshrink": [{}, {"lambd": 0.1}],
    "Softsign": [{}], "Tanh": [{}], "Tanhshrink": [{}],
    "Threshold": [{"threshold": 0.1, "value": 20.0}], "RReLU": [{}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"), [(n, o) for n, choices in ACTIVATIONS.items() for o in choices], ids=str
)
def test_activations(name: str, options: dict[str, Any]) -> None:
    def program(lib: Any) -> Any:
        layer = getattr(lib.nn, name)(**options).double().eval()
        x = numbers(lib, 4, 6).requires_grad_()
        y = layer(x)
        (y * numbers(lib, *y.shape, seed=1)).sum().backward()
        return repr(layer), y, x.grad, [p.grad for p in layer.parameters()]

    # (PyTorch computes a sixth, for hardsigmoid, in float32.)
    assert_agrees(program, rtol=1e-7 if name == "Hardsigmoid" else 1e-12)


INPLACE = [
    "CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "Mish", "ReLU", "ReLU6",
    "SELU", "SiLU", "RReLU",
]  # fmt: skip


@pytest.mark.parametrize("name", INPLACE)
def test_activations_in_place(name: str) -> None:
    def program(lib: Any) -> Any:
        layer = getattr(lib.nn, name)(inplace=True).eval()
        x = numbers(lib, 4, 6)
        y = layer(x)
        return repr(layer), y is x, x

    assert_agrees(program, rtol=1e-12)


def test_rrelu_in_training_keeps_the_slopes_between_its_bounds() -> None:
    layer = devgrad.nn.RReLU(0.2, 0.4)
    slopes = -layer(-devgrad.ones(1000))
    assert (slopes >= 0.2).all() and (slopes <= 0.4).all() and slopes.std() > 0.01


def test_softmax2d() -> None:
    assert_agrees(lambda lib: lib.nn.Softmax2d()(numbers(lib, 2, 3, 2, 2)), rtol=1e-12)
    assert_agrees(lambda lib: lib.nn.Softmax2d()(numbers(lib, 2)))


def test_old_names_of_hardtanhs_bounds() -> None:
    assert_agrees(lambda lib: repr(lib.nn.Hardtanh(min_value=-2, max_value=2)))


def probabilities(lib: Any, *shape: int, seed: int = 0) -> Any:
    return numbers(lib, *shape, seed=seed).sigmoid()


def signs(lib: Any, *shape: int) -> Any:
    return (numbers(lib, *shape, seed=9) > 0) * 2.0 - 1


def classes(lib: Any, *shape: int) -> Any:
    return placed(lib, np.random.default_rng(3).integers(0, 4, shape))


LOSSES: dict[str, Any] = {
    "MSELoss": [({}, lambda lib: [numbers(lib, 3, 4, seed=1)])],
    "L1Loss": [({}, lambda lib: [numbers(lib, 3, 4, seed=1)])],
    "SmoothL1Loss": [({"beta": 0.5}, lambda lib: [numbers(lib, 3, 4, seed=1)])],
    "HuberLoss": [({"delta": 0.5}, lambda lib: [numbers(lib, 3, 4, seed=1)])],
    "PoissonNLLLoss": [({"full": True}, lambda lib: [probabilities(lib, 3, 4) * 5])],
    "GaussianNLLLoss": [
        ({"full": True}, lambda lib: [numbers(lib, 3, 4, seed=1), probabilities(lib, 3, 4)])
    ],
    "KLDivLoss": [
        ({}, lambda lib: [probabilities(lib, 3, 4)]),
        ({"log_target": True}, lambda lib: [numbers(lib, 3, 4, seed=1)]),
    ],
    "CrossEntropyLoss": [
        ({}, lambda lib: [classes(lib, 3)]),
        ({"label_smoothing": 0.1, "ignore_index": 1}, lambda lib: [classes(lib, 3)]),
        ({"weight": [1.0, 2.0, 3.0, 4.0]}, lambda lib: [classes(lib, 3)]),
    ],
    "NLLLoss": [({"weight": [1.0, 2.0, 3.0, 4.0]}, lambda lib: [classes(lib, 3)])],
    "BCEWithLogitsLoss": [
        ({}, lambda lib: [probabilities(lib, 3, 4)]),
        ({"pos_weight": [1.0, 2.0, 3.0, 4.0]}, lambda lib: [probabilities(lib, 3, 4)]),
        ({"weight": [1.0, 2.0, 3.0, 4.0]}, lambda lib: [probabilities(lib, 3, 4)]),
    ],
    "SoftMarginLoss": [({}, lambda lib: [signs(lib, 3, 4)])],
    "MultiLabelSoftMarginLoss": [({}, lambda lib: [(signs(lib, 3, 4) + 1) / 2])],
    "MultiMarginLoss": [({"p": 2, "margin": 0.5}, lambda lib: [classes(lib, 3)])],
    "MultiLabelMarginLoss": [({}, lambda lib: [classes(lib, 3, 4)])],
    "HingeEmbeddingLoss": [({"margin": 0.5}, lambda lib: [signs(lib, 3, 4)])],
    "CosineEmbeddingLoss": [
        ({"margin": 0.2}, lambda lib: [numbers(lib, 3, 4, seed=1), signs(lib, 3)])
    ],
    "MarginRankingLoss": [
        ({"margin": 0.2}, lambda lib: [numbers(lib, 3, 4, seed=1), signs(lib, 3, 4)])
    ],
    "TripletMarginLoss": [
        ({"swap": True, "p": 1.0}, lambda lib: [numbers(lib, 3, 4, seed=s) for s in (1, 2)])
    ],
    "TripletMarginWithDistanceLoss": [
        ({"margin": 2.0}, lambda lib: [numbers(lib, 3, 4, seed=s) for s in (1, 2)])
    ],
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(
    ("name", "case"), [(n, i) for n, cases in LOSSES.items() for i in range(len(cases))]
)
def test_losses(name: str, case: int, reduction: str) -> None:
    options, others = LOSSES[name][case]

    def program(lib: Any) -> Any:
        made = {k: lib.tensor(v).double() if isinstance(v, list) else v for k, v in options.items()}
        loss = getattr(lib.nn, name)(reduction=reduction, **made)
        x = numbers(lib, 3, 4).requires_grad_()
        y = loss(x, *others(lib))
        y.sum().backward()
        return repr(loss), list(loss.state_dict()), y, x.grad

    assert_agrees(program, rtol=1e-10)


def test_bce_loss_and_batchmean() -> None:
    def bce(lib: Any) -> Any:
        x = probabilities(lib, 3, 4).requires_grad_()
        y = lib.nn.BCELoss(weight=lib.tensor([1.0, 2.0, 3.0, 4.0]).double())(
            x, probabilities(lib, 3, 4, seed=1)
        )
        y.backward()
        return y, x.grad

    assert_agrees(bce, rtol=1e-10)
    assert_agrees(
        lambda lib: lib.nn.KLDivLoss(reduction="batchmean")(
            numbers(lib, 3, 4), probabilities(lib, 3, 4)
        ),
        rtol=1e-10,
    )


def test_ctc_loss() -> None:
    def program(lib: Any) -> Any:
        x = numbers(lib, 7, 2, 5).requires_grad_()
        loss = lib.nn.CTCLoss()
        y = loss(x.log_softmax(2), placed(lib, np.array([[1, 2, 3], [2, 2, 4]])), (7, 6), (3, 2))
        y.backward()
        return repr(loss), y, x.grad

    assert_agrees(program, rtol=1e-10)


def test_former_names_of_the_reduction() -> None:
    assert_agrees(lambda lib: lib.nn.MSELoss(size_average=False).reduction)
    assert_agrees(lambda lib: lib.nn.L1Loss(reduce=False).reduction)


REFUSED = {
    "dropout": lambda nn: nn.Dropout(1.5),
    "triplet": lambda nn: nn.TripletMarginLoss(margin=0),
    "multi margin": lambda nn: nn.MultiMarginLoss(p=3),
    "hardtanh": lambda nn: nn.Hardtanh(1, 0),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    assert isinstance(assert_agrees(lambda lib: REFUSED[name](lib.nn)), Exception)


DROPOUTS = {
    "Dropout": (5, 6), "Dropout1d": (3, 4, 5), "Dropout2d": (2, 3, 4, 5),
    "Dropout3d": (2, 3, 2, 2, 2), "AlphaDropout": (5, 6), "FeatureAlphaDropout": (2, 3, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", DROPOUTS)
def test_dropout(name: str, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")

    def program(lib: Any) -> Any:
        lib.manual_seed(4)
        layer = getattr(lib.nn, name)(0.3)
        x = numbers(lib, *DROPOUTS[name], dtype="float32").requires_grad_()
        y = layer(x)
        y.sum().backward()
        return repr(layer), y, x.grad, layer.eval()(x)

    assert_agrees(program, rtol=1e-6)


def test_distances() -> None:
    def program(lib: Any) -> Any:
        a, b = numbers(lib, 3, 4), numbers(lib, 3, 4, seed=1)
        return [
            lib.nn.PairwiseDistance(p=p, keepdim=k)(a, b) for p in (1.0, 2.0) for k in (True, False)
        ] + [lib.nn.CosineSimilarity(dim=d)(a, b) for d in (0, 1)]

    assert_agrees(program, rtol=1e-10)


# --- linear layers --------------------------------------------------------------------------------

LINEAR = {
    "linear": (lambda nn: nn.Linear(5, 3), [(4, 5)]),
    "linear wide": (lambda nn: nn.Linear(50, 30), [(2, 3, 50)]),
    "linear without bias": (lambda nn: nn.Linear(5, 3, bias=False), [(5,)]),
    "bilinear": (lambda nn: nn.Bilinear(3, 4, 2), [(6, 3), (6, 4)]),
    "bilinear without bias": (lambda nn: nn.Bilinear(3, 4, 2, bias=False), [(6, 3), (6, 4)]),
    "identity": (lambda nn: nn.Identity(1, 2, x=3), [(2,)]),
    "flatten": (lambda nn: nn.Flatten(), [(2, 3, 4)]),
    "flatten some": (lambda nn: nn.Flatten(0, 1), [(2, 3, 4)]),
    "unflatten": (lambda nn: nn.Unflatten(1, (3, 4)), [(2, 12)]),
    "unflatten negative": (lambda nn: nn.Unflatten(-1, [2, -1]), [(2, 12)]),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_layers(name: str) -> None:
    make, shapes = LINEAR[name]

    def program(lib: Any) -> Any:
        layer = make(lib.nn)
        with lib.no_grad():
            for p in layer.parameters():
                p.copy_(lib.arange(p.numel()).view(p.shape) % 7 - 3)
        inputs = [lib.ones(shape, requires_grad=True) for shape in shapes]
        out = layer(*inputs)
        (out * lib.arange(out.numel()).view(out.shape)).sum().backward()
        grads = [p.grad for p in layer.parameters()]
        return repr(layer), dict(layer.state_dict()), out, [x.grad for x in inputs], grads

    assert_agrees(program, rtol=1e-6)


@pytest.mark.parametrize("name", ["linear", "linear wide", "bilinear"])
def test_default_initialisation_is_pytorchs_bit_for_bit(name: str, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")
    make, _ = LINEAR[name]

    def program(lib: Any) -> Any:
        lib.manual_seed(3)
        return dict(make(lib.nn).state_dict())

    assert_agrees(program, rtol=0)


REFUSED_LINEAR = {
    "unflatten to a number": lambda nn: nn.Unflatten(1, 3),
    "unflatten to text": lambda nn: nn.Unflatten(1, ("a",)),
    "bilinear of nothing": lambda nn: nn.Bilinear(0, 1, 1),
}


@pytest.mark.parametrize("name", REFUSED_LINEAR)
def test_refused_linear_layers(name: str) -> None:
    assert isinstance(assert_agrees(lambda lib: REFUSED_LINEAR[name](lib.nn)), Exception)


def test_dtype_and_device_of_layers() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.Linear(2, 2, dtype=lib.float64, device="cpu")
        return layer.weight.dtype, layer.bias.dtype, str(layer.weight.device)

    assert_agrees(program)


# --- lazy layers ----------------------------------------------------------------------------------


def test_lazy_linear(device: str) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(5)
        layer = lib.nn.LazyLinear(3).double()
        before = [
            repr(layer), layer.has_uninitialized_params(), layer.weight.requires_grad,
            [n for n, _ in layer.named_parameters()], layer.weight.dtype, repr(layer.bias),
        ]  # fmt: skip
        y = layer(numbers(lib, 2, 5))
        after = [repr(layer), type(layer) is lib.nn.Linear, type(layer.weight) is lib.nn.Parameter]
        y.sum().backward()
        values = [dict(layer.state_dict()), y] if device == "cpu" else []
        return before, after, values, layer.weight.grad, layer.weight.requires_grad

    assert_agrees(program, rtol=1e-12)


def test_lazy_layers_and_state_dicts() -> None:
    def program(lib: Any) -> Any:
        lazy, full = lib.nn.LazyLinear(3), lib.nn.Linear(4, 3)
        with lib.no_grad():
            full.weight.fill_(2.0)
            full.bias.fill_(1.0)
        empty = lazy.state_dict()
        lib.nn.LazyLinear(3).load_state_dict(empty)
        lazy.load_state_dict(full.state_dict())
        return list(empty), lazy.weight, lazy(lib.ones(1, 4)), repr(lazy)

    assert_agrees(program, rtol=1e-6)


def test_what_is_not_initialised_is_refused() -> None:
    assert_agrees(lambda lib: lib.nn.LazyLinear(3).weight.shape)

    def used(lib: Any) -> Any:
        with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter"):
            lib.nn.LazyLinear(3).weight * 2

    assert_agrees(used)

    def never(lib: Any) -> Any:
        class Lazy(lib.nn.modules.lazy.LazyModuleMixin, lib.nn.Linear):
            def __init__(self) -> None:
                super().__init__(0, 0, bias=False)
                self.weight = lib.nn.UninitializedParameter()

            def reset_parameters(self) -> None:
                pass

            def initialize_parameters(self, input: Any) -> None:
                pass

        return Lazy()(lib.ones(1))

    assert isinstance(assert_agrees(never), RuntimeError)


def test_uninitialised_parameters_and_buffers() -> None:
    def program(lib: Any) -> Any:
        m = lib.nn.Module()
        m.p = lib.nn.UninitializedParameter(requires_grad=False, dtype=lib.float64)
        m.b = lib.nn.UninitializedBuffer()
        other = pickle.loads(pickle.dumps(m))
        m.p.materialize((2, 3))
        m.b.materialize((1,), dtype=lib.int64)
        return (
            m.p.shape, m.p.dtype, m.p.requires_grad, m.b.dtype, type(m.b) is lib.Tensor,
            list(m._buffers), lib.nn.parameter.is_lazy(other.p),
        )  # fmt: skip

    assert_agrees(program)


def test_a_lazy_model_can_be_copied() -> None:
    model = devgrad.nn.LazyLinear(2, dtype=devgrad.float64)
    other = copy.deepcopy(model)  # (which PyTorch refuses)
    other(devgrad.ones(1, 3, dtype=devgrad.float64))
    assert model.has_uninitialized_params() and other.weight.shape == (2, 3)
