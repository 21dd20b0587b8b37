"""Optimizers, compared with PyTorch's: the same weights after many steps, and the same state."""

from __future__ import annotations

import copy
import functools
import gc
import importlib
import itertools
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch
from placement import numpy_of, placed

import devgrad

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

# Small ones are packed, the large one is taken by itself.
SHAPES = [(8, 5), (8,), (3, 8), (1,), (), (130, 130)]

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        {"lr": 0.1}, {"lr": 0.1, "momentum": 0.9}, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
        {"lr": 0.1, "momentum": 0.9, "maximize": True, "foreach": True},
    ],
    "Adam": [
        {}, {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3}, {"lr": 0.1, "weight_decay": 0.1},
        {"lr": 0.1, "amsgrad": True, "maximize": True},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "foreach": False},
    ],
    "AdamW": [{}, {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True}, {"lr": 0.1, "maximize": True}],
    "NAdam": [
        {"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.1, "momentum_decay": 0.1, "maximize": True},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
    ],
    "RAdam": [
        {"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.1, "betas": (0.8, 0.9)},
        {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    ],
    "Adamax": [{"lr": 0.1}, {"lr": 0.1, "weight_decay": 0.1, "eps": 1e-2, "maximize": True}],
    "Adagrad": [
        {"lr": 0.1},
        {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5},
        {"lr": 0.1, "maximize": True},
    ],
    "Adadelta": [{}, {"lr": 0.5, "rho": 0.5, "eps": 1e-3, "weight_decay": 0.1, "maximize": True}],
    "RMSprop": [
        {}, {"lr": 0.1, "alpha": 0.5, "momentum": 0.9, "centered": True, "eps": 1e-3},
        {"lr": 0.1, "weight_decay": 0.1, "momentum": 0.5, "maximize": True},
        {"lr": 0.1, "centered": True},
    ],
    "Rprop": [{}, {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 1.0), "maximize": True}],
    "ASGD": [{}, {"lr": 0.1, "t0": 10, "lambd": 0.1, "weight_decay": 0.1, "maximize": True}],
    "Adafactor": [
        {}, {"lr": 0.1, "weight_decay": 0.1, "d": 2.0, "beta2_decay": -0.5, "maximize": True},
        {"eps": (1e-8, 1e-2)},
    ],
}  # fmt: skip
CASES = [(name, options) for name, choices in OPTIONS.items() for options in choices]
each_case = pytest.mark.parametrize(("name", "options"), CASES, ids=str)
# In float32 the sign of a gradient that is nearly zero decides: Rprop is compared in float64.
PLAIN = {name: choices[0] for name, choices in OPTIONS.items()}


def begin(lib: Any, dtype: str = "float64", shapes: Any = SHAPES, seed: int = 0) -> list[Any]:
    rng = np.random.default_rng(seed)
    values = [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape in shapes]
    return [placed(lib, value).requires_grad_() for value in values]


def give_gradients(lib: Any, params: list[Any], step: int, skip: Any = ()) -> None:
    rng = np.random.default_rng(1000 + step)
    for index, p in enumerate(params):
        g = np.asarray(rng.standard_normal(tuple(p.shape)))
        if "complex" in str(p.dtype):
            g = g + 1j * np.asarray(rng.standard_normal(tuple(p.shape)))
        g = g.astype(str(p.dtype).removeprefix("torch."))
        p.grad = None if index in skip else placed(lib, g)


def trained(
    lib: Any, name: str, options: dict[str, Any], steps: int = 100, dtype: str = "float64"
) -> tuple[list[Any], Any]:
    params = begin(lib, dtype)
    optimizer = getattr(lib.optim, name)(params, **options)
    for step in range(steps):
        give_gradients(lib, params, step)
        optimizer.step()
        optimizer.zero_grad()
    return params, optimizer


@each_case
def test_same_weights_after_100_steps(name: str, options: dict[str, Any]) -> None:
    steps = 40 if devgrad.get_default_device().type == "cuda" else 100
    assert_agrees(lambda lib: trained(lib, name, options, steps)[0], rtol=1e-9)


@pytest.mark.parametrize("name", OPTIONS)
def test_large_parameters_are_taken_in_blocks(name: str) -> None:
    def program(lib: Any) -> Any:
        params = begin(lib, shapes=[(400, 350)])
        optimizer = getattr(lib.optim, name)(params, **OPTIONS[name][-1])
        for step in range(3):
            give_gradients(lib, params, step)
            optimizer.step()
        return params, optimizer.state_dict()["state"]

    assert_agrees(program, rtol=1e-9)


@pytest.mark.parametrize("name", OPTIONS)
def test_same_weights_in_float32(name: str) -> None:
    options = OPTIONS[name][-1]
    steps = 20 if devgrad.get_default_device().type == "cuda" else 100
    assert_agrees(lambda lib: trained(lib, name, options, steps, "float32")[0], rtol=1e-4)


def test_muon() -> None:
    # In bfloat16 sums may be rounded to another neighbour: a step is the same to about 1 percent.
    def program(lib: Any, **options: Any) -> Any:
        params = begin(lib, "float32", [(8, 12), (12, 8), (30, 30)])
        optimizer = lib.optim.Muon(params, lr=0.1, **options)
        for step in range(10):
            give_gradients(lib, params, step)
            optimizer.step()
        return params, [optimizer.state[p]["momentum_buffer"] for p in params]

    assert_agrees(program, rtol=5e-3)
    other = {"adjust_lr_fn": "match_rms_adamw", "nesterov": False}
    assert_agrees(lambda lib: program(lib, **other), rtol=5e-3)


def test_muon_refuses_vectors() -> None:
    assert_agrees(lambda lib: lib.optim.Muon([lib.ones(2)]))
    assert_agrees(lambda lib: lib.optim.Muon([lib.ones(2, 2)], adjust_lr_fn="other"))


# --- L-BFGS ---------------------------------------------------------------------------------------


def valley(lib: Any, dtype: str = "float64") -> tuple[Any, Callable[[], Any]]:
    x = placed(lib, np.array([-1.0, 2.0, 0.5], dtype)).requires_grad_()

    def loss() -> Any:
        return (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2 + (x[2] * x[1] - 1) ** 2

    return x, loss


@pytest.mark.parametrize(
    "options",
    [
        {"line_search_fn": "strong_wolfe"}, {"lr": 0.5}, {"lr": 0.1, "history_size": 2},
        {"line_search_fn": "strong_wolfe", "lr": 0.3},
        {"max_iter": 5, "max_eval": 7, "line_search_fn": "strong_wolfe"},
    ],
    ids=str,
)  # fmt: skip
def test_lbfgs(options: dict[str, Any]) -> None:
    def program(lib: Any) -> Any:
        x, loss = valley(lib)
        optimizer = lib.optim.LBFGS([x], **options)
        losses: list[float] = []

        def closure() -> Any:
            optimizer.zero_grad()
            value = loss()
            value.backward()
            losses.append(value.item())
            return value

        returned = [optimizer.step(closure).item() for _ in range(3)]
        state = optimizer.state_dict()["state"][0]
        return x, losses, returned, state["func_evals"], state["n_iter"], state["d"]

    assert_agrees(program, rtol=2e-6)


def test_lbfgs_of_several_and_complex_parameters() -> None:
    def program(lib: Any) -> Any:
        params = begin(lib, "float64", [(2, 3), (), (4,)])
        params.append(placed(lib, np.array([1 + 2j, 3 - 1j])).requires_grad_())
        optimizer = lib.optim.LBFGS(params, line_search_fn="strong_wolfe", max_iter=8)

        def closure() -> Any:
            optimizer.zero_grad()
            value = sum(((p - k).abs() ** 2).sum() * (k + 1) for k, p in enumerate(params))
            value.backward()
            return value

        optimizer.step(closure)
        return params

    assert_agrees(program, rtol=1e-7)


def test_lbfgs_refusals() -> None:
    assert_agrees(
        lambda lib: lib.optim.LBFGS([{"params": [lib.ones(1)]}, {"params": [lib.ones(2)]}])
    )

    def other(lib: Any) -> Any:
        x, _ = valley(lib)
        optimizer = lib.optim.LBFGS([x], line_search_fn="armijo")
        return optimizer.step(lambda: (x.sum().backward(), x.sum())[1])

    assert_agrees(other)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'closure'"):
        devgrad.optim.LBFGS([devgrad.ones(1)]).step()


# --- parameters of every kind ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad", "Adadelta", "Rprop", "ASGD",
                                  "Adamax", "NAdam", "RAdam"])  # fmt: skip
def test_complex_parameters(name: str) -> None:
    def program(lib: Any) -> Any:
        rng = np.random.default_rng(0)
        values = [
            rng.standard_normal(s) + 1j * rng.standard_normal(s) for s in [(3, 2), (4,), (130, 130)]
        ]
        params = [placed(lib, v).requires_grad_() for v in values]
        optimizer = getattr(lib.optim, name)(params, **PLAIN[name])
        for step in range(5):
            give_gradients(lib, params, step)
            optimizer.step()
        return params, optimizer.state_dict()["state"]

    assert_agrees(program, rtol=1e-9)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_parameters_in_any_layout(name: str) -> None:
    def program(lib: Any) -> Any:
        base = placed(lib, np.arange(24.0).reshape(4, 6))
        big = placed(lib, np.arange(20000.0).reshape(100, 200))
        params = [
            base.t().detach().requires_grad_(), big.t().detach().requires_grad_(),
            base[:, ::2].detach().clone().t().requires_grad_(),
        ]  # fmt: skip
        optimizer = getattr(lib.optim, name)(params, lr=0.1)
        for step in range(3):
            give_gradients(lib, params, step)
            params[0].grad = params[0].grad.t().contiguous().t()
            params[1].grad = lib.ones(1, dtype=lib.float64).expand(200, 100)
            optimizer.step()
        return params, base, big

    assert_agrees(program, rtol=1e-9)


def test_parameters_that_share_memory_are_updated_in_turn() -> None:
    def program(lib: Any) -> Any:
        base = placed(lib, np.arange(6.0))
        params = [base[:4].detach().requires_grad_(), base[2:].detach().requires_grad_()]
        optimizer = lib.optim.Adam(params, lr=0.1)
        for step in range(3):
            give_gradients(lib, params, step)
            optimizer.step()
        return base

    assert_agrees(program, rtol=1e-9)


@pytest.mark.parametrize("name", ["SGD", "Adam", "NAdam", "ASGD"])
def test_gradients_that_come_and_go(name: str) -> None:
    options = {"lr": 0.1, "momentum": 0.9} if name == "SGD" else {"lr": 0.1}

    def program(lib: Any) -> Any:
        params = begin(lib)
        optimizer = getattr(lib.optim, name)(params, **options)
        for step in range(8):
            give_gradients(lib, params, step, skip=[(), (0, 1), (5,), (1,), ()][step % 5])
            optimizer.step()
        return params, optimizer.state_dict()["state"]

    assert_agrees(program, rtol=1e-9)


def test_no_gradients_at_all() -> None:
    assert_agrees(lambda lib: lib.optim.Adam([lib.ones(1, requires_grad=True)]).step())


def test_a_model_that_is_converted_in_the_middle() -> None:
    model = devgrad.nn.Linear(3, 2)
    optimizer = devgrad.optim.Adam(model.parameters())
    for convert in (model.float, model.double, model.float):
        convert()
        model.weight.grad = devgrad.ones_like(model.weight)
        optimizer.step()
        assert optimizer.state[model.weight]["exp_avg"].dtype is model.weight.dtype
    assert optimizer.state[model.weight]["step"].item() == 3


def test_the_gradient_is_left_alone() -> None:
    for name, options in CASES:
        params = begin(devgrad, shapes=[(3, 2), (2,), (130, 130)])
        optimizer = getattr(devgrad.optim, name)(params, **options)
        give_gradients(devgrad, params, 0)
        before = [numpy_of(p.grad) for p in params]
        optimizer.step()
        for p, g in zip(params, before, strict=True):
            np.testing.assert_array_equal(numpy_of(p.grad), g, err_msg=f"{name} {options}")


def test_a_step_counts_as_a_change_in_place() -> None:
    params = begin(devgrad, shapes=[(2,), (2,), (130, 130)])
    optimizer = devgrad.optim.Adam(params)
    kept = [(p * p).sum() for p in params]
    give_gradients(devgrad, params, 0)
    versions = [p._version for p in params]
    optimizer.step()
    assert all(p._version > v for p, v in zip(params, versions, strict=True))
    for loss in kept:
        with pytest.raises(RuntimeError, match=r"modified by an inplace operation.*") as caught:
            loss.backward()
        assert "optimizer.step()" in str(caught.value)
    state = optimizer.state[params[0]]["exp_avg"]
    before = state._version
    optimizer.step()
    assert state._version > before


# --- groups, options, errors ----------------------------------------------------------------------


def test_groups_with_options_of_their_own() -> None:
    def program(lib: Any) -> Any:
        params = begin(lib)
        optimizer = lib.optim.SGD(
            [{"params": params[:2], "lr": 0.5}, {"params": params[2], "momentum": 0.9}], lr=0.1
        )
        optimizer.add_param_group({"params": params[3:], "weight_decay": 0.1})
        for step in range(5):
            give_gradients(lib, params, step)
            optimizer.step()
            optimizer.param_groups[0]["lr"] *= 0.5
        return params, repr(optimizer), [len(g["params"]) for g in optimizer.param_groups]

    assert_agrees(program, rtol=1e-9)


def test_named_parameters() -> None:
    def program(lib: Any) -> Any:
        model = lib.nn.Linear(2, 1)
        optimizer = lib.optim.Adam(model.named_parameters())
        return optimizer.param_groups[0]["param_names"], optimizer.state_dict()["param_groups"]

    assert_agrees(program)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adadelta", "RMSprop"])
def test_learning_rate_as_a_tensor(name: str) -> None:
    def program(lib: Any) -> Any:
        params = begin(lib)
        rate = lib.tensor(0.1, dtype=lib.float64)
        optimizer = getattr(lib.optim, name)(params, lr=rate, foreach=False)
        for step in range(5):
            give_gradients(lib, params, step)
            optimizer.step()
            rate.mul_(0.5)
        return params

    assert_agrees(program, rtol=1e-9)


REFUSED: dict[str, Callable[[Any], Any]] = {
    "no parameters": lambda lib: lib.optim.SGD([], lr=1),
    "a tensor": lambda lib: lib.optim.SGD(lib.ones(1), lr=1),
    "numbers": lambda lib: lib.optim.SGD([1.0], lr=1),
    "a set": lambda lib: lib.optim.SGD([{"params": {lib.ones(1)}}], lr=1),
    "not a leaf": lambda lib: lib.optim.SGD([lib.ones(1, requires_grad=True) * 2], lr=1),
    "twice in groups": lambda lib: _twice(lib),
    "twice in a group": lambda lib: len(lib.optim.SGD([_one(lib)] * 2, lr=1).param_groups),
    "some names": lambda lib: lib.optim.SGD([("a", _one(lib)), lib.zeros(2)], lr=1),
    "names in one group": lambda lib: _half_named(lib),
    "group no dict": lambda lib: lib.optim.SGD([_one(lib)], lr=1).add_param_group([1]),
    "lr": lambda lib: lib.optim.SGD([_one(lib)], lr=-1),
    "lr of two": lambda lib: lib.optim.SGD([_one(lib)], lr=lib.ones(2)),
    "momentum": lambda lib: lib.optim.SGD([_one(lib)], momentum=-1),
    "decay": lambda lib: lib.optim.SGD([_one(lib)], weight_decay=-1),
    "nesterov": lambda lib: lib.optim.SGD([_one(lib)], nesterov=True),
    "adam lr": lambda lib: lib.optim.Adam([_one(lib)], lr=-1),
    "adam eps": lambda lib: lib.optim.Adam([_one(lib)], eps=-1),
    "adam beta": lambda lib: lib.optim.Adam([_one(lib)], betas=(1.0, 0.5)),
    "adam beta 2": lambda lib: lib.optim.Adam([_one(lib)], betas=(0.5, -0.5)),
    "adam decay": lambda lib: lib.optim.Adam([_one(lib)], weight_decay=-1),
    "adam foreach and fused": lambda lib: lib.optim.Adam([_one(lib)], foreach=True, fused=True),
    "adam lr tensor": lambda lib: lib.optim.Adam([_one(lib)], lr=lib.tensor(0.1), foreach=True),
    "nadam": lambda lib: lib.optim.NAdam([_one(lib)], momentum_decay=-1),
    "adagrad": lambda lib: lib.optim.Adagrad([_one(lib)], lr_decay=-1),
    "adagrad sum": lambda lib: lib.optim.Adagrad([_one(lib)], initial_accumulator_value=-1),
    "adadelta": lambda lib: lib.optim.Adadelta([_one(lib)], rho=2),
    "rmsprop": lambda lib: lib.optim.RMSprop([_one(lib)], alpha=-1),
    "rprop": lambda lib: lib.optim.Rprop([_one(lib)], etas=(2, 3)),
    "adafactor": lambda lib: lib.optim.Adafactor([_one(lib)], beta2_decay=1),
    "adafactor d": lambda lib: lib.optim.Adafactor([_one(lib)], d=0.5),
    "no step": lambda lib: lib.optim.Optimizer([_one(lib)], {}).step(),
    "other groups": lambda lib: _loaded(lib, 1),
    "other sizes": lambda lib: _loaded(lib, 2),
}


def _one(lib: Any) -> Any:
    return lib.ones(1, requires_grad=True)


def _twice(lib: Any) -> Any:
    p = _one(lib)
    return lib.optim.SGD([{"params": [p]}, {"params": [p]}], lr=1)


def _half_named(lib: Any) -> Any:
    return lib.optim.SGD([{"params": [("a", _one(lib))]}, {"params": [_one(lib)]}], lr=1)


def _loaded(lib: Any, kind: int) -> Any:
    groups = [{"params": [_one(lib)]}, {"params": [_one(lib)]}]
    other = lib.optim.SGD(groups if kind == 1 else [_one(lib), _one(lib)])
    lib.optim.SGD([_one(lib)]).load_state_dict(other.state_dict())


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    assert_agrees(REFUSED[name])


def test_differentiable_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="differentiable=True is not supported"):
        devgrad.optim.SGD([devgrad.ones(1)], differentiable=True)


# --- state ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*OPTIONS, "LBFGS"])
def test_same_state_dict_after_two_steps(name: str) -> None:
    def program(lib: Any) -> Any:
        params, optimizer = begin(lib), None
        if name == "LBFGS":
            return list(lib.optim.LBFGS(params).state_dict()["param_groups"][0])
        optimizer = getattr(lib.optim, name)(params, **OPTIONS[name][-1])
        first = optimizer.state_dict()
        begun = {
            k: {n: str(type(v).__name__) for n, v in s.items()} for k, s in first["state"].items()
        }
        for step in range(2):
            give_gradients(lib, params, step)
            optimizer.step()
        return begun, optimizer.state_dict()["state"], sorted(optimizer.param_groups[0])

    assert_agrees(program, rtol=1e-9)


@pytest.mark.parametrize("name", OPTIONS)
def test_training_goes_on_from_a_state_dict_bit_for_bit(name: str) -> None:
    options = OPTIONS[name][-1]
    params, optimizer = trained(devgrad, name, options, steps=4)
    saved = copy.deepcopy(optimizer.state_dict())
    others = [p.detach().clone().requires_grad_() for p in params]
    resumed = getattr(devgrad.optim, name)(others, lr=123.0)
    resumed.load_state_dict(saved)
    assert resumed.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
    for step in range(4, 8):
        for group, owner in ((params, optimizer), (others, resumed)):
            give_gradients(devgrad, group, step)
            owner.step()
    for p, q in zip(params, others, strict=True):
        np.testing.assert_array_equal(numpy_of(p), numpy_of(q))
    # The saved state is nobody's memory: it has not moved on.
    assert all(s["step"].item() == 4 for s in saved["state"].values() if "step" in s)


@pytest.mark.parametrize("name", [n for n in OPTIONS if n != "Rprop"])
def test_state_dicts_cross_both_ways(name: str) -> None:
    """Three steps in one library, then three in the other, are six in PyTorch."""
    options = OPTIONS[name][-1]
    expected, _ = trained(torch, name, options, steps=6)

    def across(value: Any, lib: Any) -> Any:
        if isinstance(value, (devgrad.Tensor, torch.Tensor)):
            return placed(lib, numpy_of(value)).requires_grad_(value.requires_grad)
        if isinstance(value, dict):
            return {k: across(v, lib) for k, v in value.items()}
        return value

    for first, second in ((devgrad, torch), (torch, devgrad)):
        params, optimizer = trained(first, name, options, steps=3)
        moved = [across(p, second) for p in params]
        resumed = getattr(second.optim, name)(moved)
        resumed.load_state_dict(across(optimizer.state_dict(), second))
        for step in range(3, 6):
            give_gradients(second, moved, step)
            resumed.step()
        for p, q in zip(moved, expected, strict=True):
            np.testing.assert_allclose(numpy_of(p), numpy_of(q), rtol=1e-9, atol=1e-9)


def test_state_of_an_old_checkpoint() -> None:
    """Steps were numbers once, and options were missing."""

    def program(lib: Any) -> Any:
        p = lib.ones(2, requires_grad=True, dtype=lib.float64)
        optimizer = lib.optim.Adam([p], lr=0.1)
        give_gradients(lib, [p], 0)
        optimizer.step()
        state = copy.deepcopy(optimizer.state_dict())
        state["state"][0]["step"] = 1
        for option in ("maximize", "foreach", "capturable", "fused", "amsgrad"):
            del state["param_groups"][0][option]
        optimizer.load_state_dict(state)
        optimizer.step()
        return p, optimizer.state[p]["step"]

    assert_agrees(program, rtol=1e-9)


def test_state_that_the_user_changes() -> None:
    def program(lib: Any) -> Any:
        params = begin(lib)
        optimizer = lib.optim.Adam(params, lr=0.1)
        for step in range(6):
            give_gradients(lib, params, step)
            optimizer.step()
            state = optimizer.state
            if step == 1:
                state[params[0]]["exp_avg"].zero_()
            if step == 2:
                state[params[1]] = {}
            if step == 3:
                state[params[2]]["exp_avg"] = lib.ones_like(params[2])
            if step == 4:
                state[params[3]]["step"].fill_(100)
        return params, optimizer.state_dict()["state"]

    assert_agrees(program, rtol=1e-9)


def test_copies_and_pickles() -> None:
    params, optimizer = trained(devgrad, "Adam", {"lr": 0.1}, steps=2)
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        own = other.param_groups[0]["params"]
        give_gradients(devgrad, own, 2)
        other.step()
        assert other.state[own[0]]["step"].item() == 3
    assert optimizer.state[params[0]]["step"].item() == 2


# --- steps ----------------------------------------------------------------------------------------


def test_closures() -> None:
    def program(lib: Any) -> Any:
        p = lib.ones(3, requires_grad=True)
        optimizer = lib.optim.SGD([p], lr=0.1)

        def closure() -> Any:
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss

        with lib.no_grad():
            return [optimizer.step(closure) for _ in range(3)], p

    assert_agrees(program, rtol=1e-6)


@pytest.mark.parametrize("to_none", [True, False])
def test_zero_grad(to_none: bool) -> None:
    def program(lib: Any) -> Any:
        params = begin(lib, shapes=[(2,), (3,)])
        give_gradients(lib, params, 0, skip=(1,))
        optimizer = lib.optim.SGD(params)
        optimizer.zero_grad(set_to_none=to_none)
        return [p.grad for p in params]

    assert_agrees(program)


def test_hooks() -> None:
    def program(lib: Any) -> Any:
        p = lib.ones(1, requires_grad=True)
        optimizer = lib.optim.SGD([p], lr=0.1)
        log: list[Any] = []
        of_all = importlib.import_module(f"{lib.__name__}.optim.optimizer")
        handles = [
            of_all.register_optimizer_step_pre_hook(lambda o, a, k: log.append("all pre")),
            of_all.register_optimizer_step_post_hook(lambda o, a, k: log.append("all post")),
            optimizer.register_step_pre_hook(lambda o, a, k: log.append(("pre", len(a), k))),
            optimizer.register_step_post_hook(lambda o, a, k: log.append("post")),
            optimizer.register_state_dict_pre_hook(lambda o: log.append("saving")),
            optimizer.register_state_dict_post_hook(lambda o, s: {**s, "more": 1}),
            optimizer.register_load_state_dict_pre_hook(lambda o, s: log.append(sorted(s))),
            optimizer.register_load_state_dict_post_hook(lambda o: log.append("loaded")),
        ]
        optimizer.step()
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        for handle in handles:
            handle.remove()
        optimizer.step()
        return log, sorted(state), sorted(optimizer.state_dict())

    assert_agrees(program)


def test_a_hook_that_returns_nonsense() -> None:
    def program(lib: Any) -> Any:
        optimizer = lib.optim.SGD([_one(lib)])
        optimizer.register_step_pre_hook(lambda o, a, k: 1)
        with pytest.raises(RuntimeError, match=r"must return None or a tuple of \(new_args"):
            optimizer.step()

    assert_agrees(program)


def test_an_optimizer_of_the_users_own() -> None:
    def program(lib: Any) -> Any:
        class Signed(lib.optim.Optimizer):
            def __init__(self, params: Any, lr: float) -> None:
                super().__init__(params, {"lr": lr})

            def step(self, closure: Any = None) -> None:
                with lib.no_grad():
                    for group in self.param_groups:
                        for p in group["params"]:
                            p.sub_(p.grad.sign(), alpha=group["lr"])
                            self.state[p]["seen"] = self.state[p].get("seen", 0) + 1

        params = begin(lib, shapes=[(2,), (3,)])
        optimizer = Signed(params, lr=0.5)
        log: list[str] = []
        optimizer.register_step_post_hook(lambda *args: log.append("post"))
        for step in range(3):
            give_gradients(lib, params, step)
            optimizer.step()
        return params, optimizer.state_dict(), log

    assert_agrees(program, rtol=1e-12)


def test_a_model_learns_the_same() -> None:
    """A small network, whose gradients depend on the weights."""
    hot = devgrad.get_default_device().type == "cuda"

    def program(lib: Any, make: Any) -> Any:
        rng = np.random.default_rng(0)
        x, y = placed(lib, rng.standard_normal((20, 3))), placed(lib, rng.standard_normal((20, 1)))
        params = begin(lib, shapes=[(3, 8), (8,), (8, 1), (1,)])
        optimizer = make(lib.optim, params)
        losses = []
        for _ in range(20 if hot else 100):
            optimizer.zero_grad()
            w1, b1, w2, b2 = params
            loss = (((x @ w1 + b1).tanh() @ w2 + b2 - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses, params

    for make in (
        lambda optim, p: optim.SGD(p, lr=0.05, momentum=0.9),
        lambda optim, p: optim.Adam(p, lr=0.01),
        lambda optim, p: optim.AdamW(p, lr=0.01),
    ):
        assert_agrees(functools.partial(program, make=make), rtol=1e-9)


def test_an_optimizer_goes_with_its_last_name() -> None:
    _, optimizer = trained(devgrad, "Adam", {}, steps=2)
    reference = weakref.ref(optimizer)
    gc.disable()
    try:
        del optimizer, _
        assert reference() is None
    finally:
        gc.enable()


# --- averages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "buffers"), list(itertools.product(["swa", "ema", "multi"], [0, 1]))
)
def test_averaged_models(kind: str, buffers: int) -> None:
    def program(lib: Any) -> Any:
        swa = lib.optim.swa_utils

        class Model(lib.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.w = lib.nn.Parameter(lib.ones(3))
                self.register_buffer("seen", lib.zeros(1))

        model = Model()
        options = {
            "swa": {}, "ema": {"avg_fn": swa.get_ema_avg_fn(0.9)},
            "multi": {"multi_avg_fn": swa.get_ema_multi_avg_fn(0.9)},
        }[kind]  # fmt: skip
        average = swa.AveragedModel(model, use_buffers=bool(buffers), **options)
        for k in range(4):
            with lib.no_grad():
                model.w.mul_(2)
                model.seen.add_(k)
            average.update_parameters(model)
        return dict(average.state_dict()), list(average.state_dict())

    assert_agrees(program, rtol=1e-6)


def test_averages_refused() -> None:
    assert_agrees(lambda lib: lib.optim.swa_utils.get_ema_avg_fn(1.5))
    assert_agrees(
        lambda lib: lib.optim.swa_utils.AveragedModel(lib.nn.Identity(), avg_fn=id, multi_avg_fn=id)
    )
