"""Takes the measurements: every peer in its own process, sample by sample in turn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.client import WorkerError, WorkerProcess
from bench.machine import describe_machine
from bench.peers import PEERS
from bench.registry import Metric, Workload


@dataclass(frozen=True)
class Settings:
    """How a run measures. minimum: the seconds that a timed sample lasts at least."""

    subject: str = "devgrad"
    against: tuple[str, ...] = ("torch", "hand")
    device: str = "cpu"
    threads: int = 1
    quick: bool = False
    rounds: int = 15
    minimum: float = 0.05
    warmup: float = 0.3
    timeout: float = 600.0
    imports: tuple[str, ...] = ()

    @property
    def peers(self) -> tuple[str, ...]:
        return (self.subject, *self.against)


@dataclass
class Result:
    """The samples of one metric of one workload, by peer, in the order they were taken."""

    workload: Workload
    metric: Metric
    arguments: Mapping[str, Any]
    samples: dict[str, list[float]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    disagreements: dict[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the row is called in a table."""
        if self.workload.family.timed:
            return self.workload.name
        return f"{self.workload.name}: {self.metric.name}"


@dataclass
class Report:
    """All that a run has to tell. machine: as it was before the run, its load included."""

    settings: Settings
    machine: dict[str, Any] = field(default_factory=describe_machine)
    peers: dict[str, dict[str, Any]] = field(default_factory=dict)
    unavailable: dict[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    details: list[str] = field(default_factory=list)


class Runner:
    """The workers of a run. Use it as a context manager; it ends its processes when left."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.report = Report(settings)
        self._workers: dict[str, WorkerProcess] = {}

    def __enter__(self) -> Runner:
        try:
            for peer in self.settings.peers:
                try:
                    worker = self._start(peer)
                except WorkerError as error:
                    self.report.unavailable[peer] = str(error)
                    self._explain(f"{peer} is unavailable", error)
                else:
                    self._workers[peer] = worker
                    self.report.peers[peer] = worker.about
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        while self._workers:
            self._workers.popitem()[1].stop()

    def run(self, workloads: Sequence[Workload], progress: bool = False) -> Report:
        """Measure the workloads one after the other."""
        for index, workload in enumerate(workloads, 1):
            if progress:
                print(f"[{index}/{len(workloads)}] {workload.name}", file=sys.stderr, flush=True)
            self.report.results += self.measure(workload)
        return self.report

    def measure(self, workload: Workload) -> list[Result]:
        """The results of one workload, one for each of its metrics."""
        family = workload.family
        arguments = workload.arguments(self.settings.quick)
        results = [Result(workload, metric, arguments) for metric in family.metrics]
        peers = [p for p in self.report.peers if PEERS[p].version in family.versions]
        active = _Active(self, results, [p for p in peers if p in self._workers])
        for peer in set(peers) - set(active.peers):
            for result in results:
                result.failures[peer] = "its process ended before and did not start again"

        if not family.fresh:
            outcomes = active.each(lambda peer: self._open(workload, arguments, peer))
            _compare(results, self.settings.subject, outcomes, family.rtol)
            if family.timed:
                for peer, answer in active.each(self._calibrate).items():
                    for result in results:
                        result.steps[peer] = answer["steps"]

        rounds = self.settings.rounds
        if family.rounds is not None:
            rounds = min(rounds, family.rounds)
        take = (
            (lambda peer: self._fresh_sample(workload, arguments, peer))
            if family.fresh
            else (lambda peer: self._workers[peer].ask("sample"))
        )
        for turn in range(rounds):
            # Another peer goes first in each round, so that none always follows the same one.
            for peer, answer in active.each(take, first=turn).items():
                for result in results:
                    value = answer["values"][result.metric.name]
                    if value is not None:
                        result.samples.setdefault(peer, []).append(value)
        if not family.fresh:
            active.each(lambda peer: self._workers[peer].ask("close"))
        return results

    def _start(self, peer: str) -> WorkerProcess:
        settings = self.settings
        return WorkerProcess(
            peer,
            device=settings.device,
            threads=settings.threads,
            imports=settings.imports,
            timeout=settings.timeout,
        )

    def _open(self, workload: Workload, arguments: Mapping[str, Any], peer: str) -> dict[str, Any]:
        return self._workers[peer].ask("open", family=workload.family.name, arguments=arguments)

    def _calibrate(self, peer: str) -> dict[str, Any]:
        settings = self.settings
        return self._workers[peer].ask(
            "calibrate", minimum=settings.minimum, warmup=settings.warmup
        )

    def _fresh_sample(
        self, workload: Workload, arguments: Mapping[str, Any], peer: str
    ) -> dict[str, Any]:
        with self._start(peer) as worker:
            worker.ask("open", family=workload.family.name, arguments=arguments)
            return worker.ask("sample")

    def _replace(self, peer: str) -> None:
        """Start a peer again whose process ended, for the workloads that are still to come."""
        dead = self._workers.pop(peer, None)
        if dead is not None:
            dead.stop()
        try:
            self._workers[peer] = self._start(peer)
        except WorkerError as error:
            self.report.unavailable[peer] = str(error)
            self._explain(f"{peer} did not start again", error)

    def _explain(self, what: str, error: WorkerError) -> None:
        if error.details:
            self.report.details.append(f"{what}: {error}\n{error.details.rstrip()}")


class _Active:
    """The peers that still take part in a workload; one that fails is out of it."""

    def __init__(self, runner: Runner, results: Sequence[Result], peers: Sequence[str]) -> None:
        self.runner = runner
        self.results = results
        self.peers = list(peers)

    def each(
        self, ask: Callable[[str], dict[str, Any]], first: int = 0
    ) -> dict[str, dict[str, Any]]:
        """Ask every active peer in turn, from the given one on, and collect the answers."""
        answers = {}
        start = first % len(self.peers) if self.peers else 0
        for peer in [*self.peers[start:], *self.peers[:start]]:
            try:
                answers[peer] = ask(peer)
            except WorkerError as error:
                self._drop(peer, error)
        return answers

    def _drop(self, peer: str, error: WorkerError) -> None:
        self.peers.remove(peer)
        for result in self.results:
            result.failures[peer] = str(error)
            result.samples.pop(peer, None)
        self.runner._explain(f"{self.results[0].workload.name}, {peer}", error)
        if not self.runner._workers[peer].alive:
            self.runner._replace(peer)


def _compare(
    results: Sequence[Result],
    subject: str,
    outcomes: Mapping[str, Mapping[str, Any]],
    rtol: float,
) -> None:
    """Note which peers' results differ from the subject's by more than the tolerance."""
    reference = outcomes.get(subject, {}).get("result")
    if reference is None:
        return
    for peer, outcome in outcomes.items():
        complaint = difference(reference, outcome.get("result", {}), rtol)
        if complaint and peer != subject:
            for result in results:
                result.disagreements[peer] = complaint


def difference(
    ours: Mapping[str, Sequence[float]], theirs: Mapping[str, Sequence[float]], rtol: float
) -> str | None:
    """What differs between two results by more than rtol times the largest value of each; None
    when nothing does. A NaN differs from everything.
    """
    for name in sorted({*ours, *theirs}):
        if name not in ours or name not in theirs:
            return f"only one of them gives {name}"
        a, b = ours[name], theirs[name]
        if len(a) != len(b):
            return f"{name} has {len(a)} and {len(b)} values"
        allowed = rtol * max((abs(value) for value in a), default=0.0)
        largest = max((abs(x - y) for x, y in zip(a, b, strict=True)), default=0.0)
        if any(x != x or y != y for x, y in zip(a, b, strict=True)) or largest > allowed:
            return f"{name} differs by {largest:.3g}, allowed are {allowed:.3g}"
    return None
