"""What a workload is, and the list of them.

A workload is written once against PyTorch's namespace and handed a library (`devgrad`, `torch`)
and a device. Further versions of it (`hand`, written with NumPy; later `jax`) may stand beside.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

LIBRARY = "library"
HAND = "hand"


@dataclass(frozen=True)
class Metric:
    """One measured quantity: its name, its unit, and how the table calls it."""

    name: str
    unit: str
    about: str = ""


@dataclass(frozen=True)
class Case:
    """A workload set up and ready to be timed.

    step: does the work once. count: the units of work (ops, iterations) in one step.
    result: named values after some steps, which the harness compares between the peers; each is
    a tensor or array, or a list of numbers.
    """

    step: Callable[[], object]
    count: int = 1
    result: Callable[[], Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Probe:
    """A workload that measures itself: each call of `measure` gives one sample of each metric."""

    measure: Callable[[], Mapping[str, float | None]]


Build = Callable[..., "Case | Probe"]


@dataclass(frozen=True)
class Workload:
    """One row (or, with several metrics, a few rows) of the table."""

    family: Family
    case: str
    params: Mapping[str, Any]
    quick_params: Mapping[str, Any]

    @property
    def name(self) -> str:
        return f"{self.family.name}/{self.case}" if self.case else self.family.name

    def arguments(self, quick: bool) -> dict[str, Any]:
        """The keyword arguments of the workload's function in this kind of run."""
        return {**self.params, **(self.quick_params if quick else {})}


@dataclass
class Family:
    """A workload's function with its versions, sizes and settings."""

    name: str
    build: Build
    per: str
    cases: Mapping[str, Mapping[str, Any]]
    quick: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    rounds: int | None
    fresh: bool
    rtol: float
    versions: dict[str, Build] = field(default_factory=dict)

    @property
    def about(self) -> str:
        return (inspect.getdoc(self.build) or "").split("\n\n")[0].replace("\n", " ")

    @property
    def timed(self) -> bool:
        """Whether the harness does the timing, in which case the only metric is the time."""
        return self.metrics == (TIME,)

    def __iter__(self) -> Iterator[Workload]:
        for case, params in self.cases.items():
            yield Workload(self, case, params, self.quick)

    def version(self, name: str) -> Callable[[Build], Build]:
        """Register another version of the workload, for the peers that run that version."""

        def register(build: Build) -> Build:
            if name in self.versions:
                raise ValueError(f"workload {self.name!r} has a {name!r} version already")
            self.versions[name] = build
            return build

        return register

    def hand(self, build: Build) -> Build:
        """Register the version without autograd: a function of an array module (NumPy, CuPy)."""
        return self.version(HAND)(build)


TIME = Metric("time", "s")

FAMILIES: dict[str, Family] = {}


def workload(
    name: str,
    *,
    per: str,
    cases: Mapping[str, Mapping[str, Any]] | None = None,
    quick: Mapping[str, Any] | None = None,
    metrics: Sequence[Metric] = (TIME,),
    rounds: int | None = None,
    fresh: bool = False,
    rtol: float = 1e-4,
) -> Callable[[Build], Family]:
    """Register a workload: a function `(lib, device, **params)` that returns a Case or a Probe.

    per: the unit of work that a time is given for. cases: the named sizes, each a dict of keyword
    arguments. quick: keyword arguments that replace those under --quick. metrics: what a Probe
    measures. rounds: samples to take when not the usual number (at most that many). fresh: give
    each sample a process of its own. rtol: how closely the peers' results must agree, relative to
    the largest absolute value of each.

        @workload("square", per="step", cases={"1k": {"size": 1000}})
        def square(lib, device, *, size):
            x = lib.linspace(0.0, 1.0, size, device=device, requires_grad=True)

            def step():
                x.grad = None
                (x * x).sum().backward()

            return Case(step, result=lambda: {"grad": x.grad})
    """

    def register(build: Build) -> Family:
        if name in FAMILIES or "/" in name:
            raise ValueError(f"a workload's name must be new and without '/': {name!r}")
        FAMILIES[name] = Family(
            name=name,
            build=build,
            per=per,
            cases=cases or {"": {}},
            quick=quick or {},
            metrics=tuple(metrics),
            rounds=rounds,
            fresh=fresh,
            rtol=rtol,
            versions={LIBRARY: build},
        )
        return FAMILIES[name]

    return register


def all_workloads() -> list[Workload]:
    """Every registered workload, in the order of registration."""
    return [row for family in FAMILIES.values() for row in family]


def select(names: Sequence[str]) -> list[Workload]:
    """The workloads called `family` or `family/case`; all of them when no name is given.

    Raises KeyError for an unknown name, with those that come near it.
    """
    rows = all_workloads()
    if not names:
        return rows
    wanted: list[Workload] = []
    for name in names:
        found = [row for row in rows if name in (row.name, row.family.name)]
        if not found:
            known = {row.name for row in rows} | set(FAMILIES)
            near = get_close_matches(name, sorted(known), n=3, cutoff=0.4)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise KeyError(f"no workload called {name!r}{hint} (--list shows all)")
        wanted += [row for row in found if row not in wanted]
    return wanted


def numbers(value: Any, limit: int = 256) -> list[float]:
    """At most about `limit` evenly spaced elements of a tensor, array or list, as floats."""
    if hasattr(value, "detach"):
        value = value.detach()
    if hasattr(value, "reshape"):
        value = value.reshape(-1)
        value = value[:: max(1, len(value) // limit)].tolist()
    if not isinstance(value, (list, tuple)):
        value = [value]
    return [float(v) for v in value]
