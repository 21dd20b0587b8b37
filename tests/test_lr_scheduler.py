"""Schedules of learning rates, compared with PyTorch's step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from agreement import assert_agrees, torch

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "lambda": lambda s, o: s.LambdaLR(o, [lambda e: 0.9**e, lambda e: 1 / (e + 1)]),
    "lambda one": lambda s, o: s.LambdaLR(o, lambda e: 0.5**e),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9 + 0.01 * e),
    "step": lambda s, o: s.StepLR(o, 3, gamma=0.5),
    "multistep": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 9], gamma=0.5),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=4),
    "linear": lambda s, o: s.LinearLR(o, start_factor=0.25, end_factor=0.8, total_iters=6),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "polynomial": lambda s, o: s.PolynomialLR(o, total_iters=8, power=2.0),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, T_max=5, eta_min=0.01),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2, eta_min=0.01),
    "restarts alike": lambda s, o: s.CosineAnnealingWarmRestarts(o, T_0=4),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=3, step_size_down=4),
    "cyclic 2": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.2], step_size_up=2, mode="triangular2"),
    "cyclic exp": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=3, mode="exp_range", gamma=0.9
    ),
    "cyclic own": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, step_size_up=3, scale_fn=lambda x: 1 / x, cycle_momentum=False
    ),
    "one cycle": lambda s, o: s.OneCycleLR(o, max_lr=0.5, total_steps=25),
    "one cycle linear": lambda s, o: s.OneCycleLR(
        o, max_lr=[0.5, 0.1], epochs=5, steps_per_epoch=5, anneal_strategy="linear",
        three_phase=True, pct_start=0.4,
    ),
    "swa": lambda s, o: s.swa.SWALR(o, swa_lr=0.05, anneal_epochs=6),
    "swa linear": lambda s, o: s.swa.SWALR(o, [0.05, 0.01], 6, anneal_strategy="linear"),
    "sequential": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, total_iters=3), s.StepLR(o, 2), s.ExponentialLR(o, 0.5)], [4, 9]
    ),
    "sequential cosine": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, total_iters=2), s.CosineAnnealingLR(o, T_max=6)], milestones=[3]
    ),
    "chained": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, factor=0.1, total_iters=4), s.ExponentialLR(o, gamma=0.9)], optimizer=o
    ),
    "nested": lambda s, o: s.SequentialLR(
        o,
        [
            s.ChainedScheduler([s.ExponentialLR(o, 0.9), s.StepLR(o, 2)]),
            s.SequentialLR(o, [s.StepLR(o, 1), s.LinearLR(o)], [3]),
        ],
        [5],
    ),
}  # fmt: skip
OPTIMIZERS = {
    "SGD": lambda lib: lambda p: lib.optim.SGD(p, lr=0.4, momentum=0.9),
    "Adam": lambda lib: lambda p: lib.optim.Adam(p, lr=0.4),
    "tensor": lambda lib: (
        lambda p: lib.optim.SGD(p, lr=lib.tensor(0.4, dtype=lib.float64), momentum=0.9)
    ),
}


class Faces:
    """``lr_scheduler`` and, beside it, ``swa_utils``."""

    def __init__(self, lib: Any) -> None:
        self.schedulers = lib.optim.lr_scheduler
        self.swa = lib.optim.swa_utils

    def __getattr__(self, name: str) -> Any:
        return getattr(self.schedulers, name)


def start(lib: Any, name: str, optimizer: str = "SGD") -> tuple[Any, Any]:
    params = [lib.ones(1, requires_grad=True) for _ in range(2)]
    groups = [{"params": params[:1]}, {"params": params[1:], "lr": 0.2}]
    if optimizer == "tensor":
        groups[1]["lr"] = lib.tensor(0.2, dtype=lib.float64)
    o = OPTIMIZERS[optimizer](lib)(groups)
    return SCHEDULES[name](Faces(lib), o), o


def momenta(o: Any) -> list[Any]:
    return [g.get("momentum", g.get("betas")) for g in o.param_groups]


def rates(o: Any) -> list[float]:
    return [float(g["lr"]) for g in o.param_groups]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_same_rates_step_by_step(name: str, optimizer: str) -> None:
    if optimizer == "tensor" and name in ("cyclic own", "nested"):
        optimizer = "SGD"

    def program(lib: Any) -> Any:
        scheduler, o = start(lib, name, optimizer)
        seen = [(rates(o), momenta(o))]
        for _ in range(20):
            o.step()
            scheduler.step()
            last = [float(x) for x in scheduler.get_last_lr()]
            seen.append((rates(o), momenta(o), last))
        return seen, [sorted(g) for g in o.param_groups]

    assert_agrees(program, rtol=1e-12)


@pytest.mark.parametrize("name", SCHEDULES)
def test_state_dicts(name: str) -> None:
    def program(lib: Any) -> Any:
        scheduler, o = start(lib, name)
        for _ in range(5):
            o.step()
            scheduler.step()
        state = scheduler.state_dict()
        again, other = start(lib, name)
        other.load_state_dict(o.state_dict())
        again.load_state_dict(state)
        seen = []
        for _ in range(8):
            other.step()
            again.step()
            seen.append(rates(other))
        return (
            seen,
            sorted(k for k in state if not k.startswith("_scale_fn")),
            again.last_epoch if (hasattr(again, "last_epoch")) else None,
        )

    if name in ("one cycle", "one cycle linear"):
        # PyTorch's keeps more of its arguments in the state; ours reads it all the same.
        assert_agrees(lambda lib: program(lib)[0], rtol=1e-12)
    else:
        assert_agrees(program, rtol=1e-12)


@pytest.mark.parametrize("name", ["lambda one", "step", "cosine", "exponential"])
def test_going_on_from_an_epoch(name: str) -> None:
    def program(lib: Any) -> Any:
        scheduler, o = start(lib, name)
        for _ in range(4):
            o.step()
            scheduler.step()
        faces = Faces(lib)
        again = {
            "lambda one": lambda: faces.LambdaLR(o, lambda e: 0.5**e, last_epoch=4),
            "step": lambda: faces.StepLR(o, 3, gamma=0.5, last_epoch=4),
            "cosine": lambda: faces.CosineAnnealingLR(o, T_max=5, eta_min=0.01, last_epoch=4),
            "exponential": lambda: faces.ExponentialLR(o, 0.9, last_epoch=4),
        }[name]()
        seen = [rates(o)]
        for _ in range(3):
            o.step()
            again.step()
            seen.append(rates(o))
        return seen

    assert_agrees(program, rtol=1e-12)


CLOSED = ["step", "multistep", "constant", "linear", "exponential", "polynomial", "cosine"]


@pytest.mark.parametrize("name", CLOSED)
def test_stepping_to_an_epoch_is_deprecated(name: str) -> None:
    def program(lib: Any) -> Any:
        scheduler, o = start(lib, name)
        seen = []
        for epoch in (3, 1, 7):
            o.step()
            scheduler.step(epoch)
            seen.append(rates(o))
        return seen

    assert_agrees(program, rtol=1e-12)


def test_restarts_by_fractions_of_epochs() -> None:
    def program(lib: Any) -> Any:
        scheduler, o = start(lib, "restarts")
        seen = []
        for batch in range(60):
            scheduler.step(batch / 5)
            seen.append(rates(o))
        return seen

    assert_agrees(program, rtol=1e-12)


PLATEAU: list[dict[str, Any]] = [
    {"patience": 1}, {"mode": "max", "patience": 0, "factor": 0.5}, {"patience": 0, "cooldown": 2},
    {"patience": 1, "threshold": 0.5, "threshold_mode": "abs"}, {"patience": 0, "min_lr": 0.1},
    {"patience": 0, "min_lr": [0.3, 0.01]}, {"mode": "max", "threshold_mode": "abs", "patience": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", PLATEAU, ids=str)
def test_plateau(options: dict[str, Any]) -> None:
    metrics = [3.0, 2.0, 2.0, 1.99999, 2.5, 1.0, 1.0, 1.0, 1.0, 5.0, 0.5, 0.5, float("nan"), 0.5]

    def program(lib: Any) -> Any:
        _, o = start(lib, "constant")
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(o, **options)
        seen = []
        for k, metric in enumerate(metrics):
            scheduler.step(lib.tensor(metric) if k % 2 else metric)
            seen.append((rates(o), scheduler.get_last_lr(), scheduler.num_bad_epochs))
        state = scheduler.state_dict()
        again = lib.optim.lr_scheduler.ReduceLROnPlateau(o)
        again.load_state_dict(state)
        again.step(9.0)
        return seen, sorted(state), again.best, rates(o), scheduler.in_cooldown

    assert_agrees(program, rtol=1e-12)


def test_plateau_after_a_group_was_added() -> None:
    def program(lib: Any, min_lr: Any) -> Any:
        _, o = start(lib, "constant")
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, min_lr=min_lr)
        o.add_param_group({"params": [lib.ones(1)]})
        for _ in range(3):
            scheduler.step(1.0)
        return rates(o)

    assert_agrees(lambda lib: program(lib, 0.05), rtol=1e-12)
    assert_agrees(lambda lib: program(lib, [0.1, 0.2]))


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "no optimizer": lambda s, o: s.StepLR(1, 2),
    "lambdas": lambda s, o: s.LambdaLR(o, [abs]),
    "multiplicative lambdas": lambda s, o: s.MultiplicativeLR(o, [abs]),
    "no function": lambda s, o: s.MultiplicativeLR(o, 3),
    "resuming nothing": lambda s, o: s.StepLR(o, 2, last_epoch=3),
    "constant": lambda s, o: s.ConstantLR(o, factor=2),
    "linear": lambda s, o: s.LinearLR(o, start_factor=0),
    "linear end": lambda s, o: s.LinearLR(o, end_factor=2),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    "restarts mult": lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, T_mult=0),
    "restarts eta": lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, eta_min="a"),
    "restarts epoch": lambda s, o: s.CosineAnnealingWarmRestarts(o, 1).step(-1),
    "cyclic mode": lambda s, o: s.CyclicLR(o, 0.1, 1.0, mode="square"),
    "cyclic lrs": lambda s, o: s.CyclicLR(o, [0.1], 1.0),
    "one cycle": lambda s, o: s.OneCycleLR(o, 0.1),
    "one cycle steps": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=-1),
    "one cycle epochs": lambda s, o: s.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=1),
    "one cycle per epoch": lambda s, o: s.OneCycleLR(o, 0.1, epochs=1, steps_per_epoch=1.5),
    "one cycle pct": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, pct_start=2),
    "one cycle anneal": lambda s, o: s.OneCycleLR(o, 0.1, total_steps=5, anneal_strategy="x"),
    "one cycle over": lambda s, o: [s.OneCycleLR(o, 0.1, total_steps=1), *_steps(s, o)],
    "plateau": lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    "plateau mode": lambda s, o: s.ReduceLROnPlateau(o, mode="best"),
    "plateau threshold": lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
    "plateau lrs": lambda s, o: s.ReduceLROnPlateau(o, min_lr=[1]),
    "sequential none": lambda s, o: s.SequentialLR(o, [], []),
    "sequential milestones": lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]),
    "sequential plateau": lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []),
    "sequential no schedule": lambda s, o: s.SequentialLR(o, [1], []),
    "chained none": lambda s, o: s.ChainedScheduler([]),
    "chained plateau": lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]),
    "swa": lambda s, o: s.swa.SWALR(o, 0.1, anneal_strategy="x"),
    "swa epochs": lambda s, o: s.swa.SWALR(o, 0.1, anneal_epochs=-1),
}


def _steps(s: Any, o: Any) -> list[Any]:
    scheduler = s.OneCycleLR(o, 0.1, total_steps=2)
    o.step()
    return [scheduler.step() for _ in range(3)]


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    def program(lib: Any) -> Any:
        params = [lib.ones(1, requires_grad=True) for _ in range(2)]
        o = lib.optim.SGD([{"params": params[:1]}, {"params": params[1:]}], lr=0.4, momentum=0.9)
        REFUSED[name](Faces(lib), o)

    assert isinstance(assert_agrees(program), Exception)


def test_an_optimizer_without_momentum() -> None:
    def program(lib: Any) -> Any:
        o = lib.optim.Adagrad([lib.ones(1)])
        return lib.optim.lr_scheduler.CyclicLR(o, 0.1, 1.0)

    assert_agrees(program)


def test_warnings_of_the_order() -> None:
    def first(lib: Any) -> Any:
        scheduler, o = start(lib, "step")
        scheduler.step()  # before the optimizer
        o.step()
        scheduler.step()

    def overridden(lib: Any) -> Any:
        scheduler, o = start(lib, "step")
        o.step = lambda: None
        o.step()
        scheduler.step()

    def asked(lib: Any) -> Any:
        return start(lib, "exponential")[0].get_lr()

    for program in (first, overridden, asked):
        assert_agrees(program, rtol=1e-12)


def test_a_schedule_of_the_users_own() -> None:
    def program(lib: Any) -> Any:
        class Halving(lib.optim.lr_scheduler.LRScheduler):
            def get_lr(self) -> Any:
                if self.last_epoch == 0:
                    return [g["lr"] for g in self.optimizer.param_groups]
                return [g["lr"] / 2 for g in self.optimizer.param_groups]

        o = lib.optim.SGD([lib.ones(1)], lr=1.0)
        scheduler = Halving(o)
        for _ in range(3):
            o.step()
            scheduler.step()
        return scheduler.get_last_lr(), scheduler.base_lrs

    assert_agrees(program)
