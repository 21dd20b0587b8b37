"""Bars: upper bounds that a run is held to."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.registry import FAMILIES, all_workloads
from bench.report import Data, quantity

DEFAULT = Path(__file__).with_name("bars.toml")


class BarsError(Exception):
    """The file of bars cannot be read or says something that means nothing."""


@dataclass(frozen=True)
class Bar:
    """One bound; see the head of bars.toml for what the fields mean."""

    workload: str
    metric: str = "time"
    device: str = "cpu"
    threads: int = 1
    against: str | None = None
    ratio: float | None = None
    at_most: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a bar was met, and the sentence that says so."""

    bar: Bar
    met: bool
    text: str


def load_bars(path: Path = DEFAULT) -> list[Bar]:
    """Read a file of bars. Raises BarsError for one that cannot be, or that bounds nothing."""
    try:
        entries = _toml(path).get("bar", [])
    except (OSError, ValueError) as error:
        raise BarsError(f"{path}: {error}") from error
    return [_bar(path, number, entry) for number, entry in enumerate(entries, 1)]


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ModuleNotFoundError:
            raise BarsError("Python 3.10 reads bars with tomli: pip install tomli") from None
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _bar(path: Path, number: int, entry: dict[str, Any]) -> Bar:
    where = f"{path}, bar {number}"
    try:
        bar = Bar(**entry)
    except TypeError as error:
        raise BarsError(f"{where}: {error}") from None
    rows = {row.name: row for row in all_workloads()}
    if bar.workload not in rows:
        raise BarsError(f"{where}: no workload called {bar.workload!r}")
    metrics = [metric.name for metric in FAMILIES[rows[bar.workload].family.name].metrics]
    if bar.metric not in metrics:
        raise BarsError(f"{where}: {bar.workload} measures {metrics}, not {bar.metric!r}")
    if (bar.ratio is None) == (bar.at_most is None):
        raise BarsError(f"{where}: give either `ratio` or `at_most`")
    if (bar.ratio is None) != (bar.against is None):
        raise BarsError(f"{where}: `ratio` and `against` go together")
    return bar


def check(data: Data, bars: Sequence[Bar]) -> list[Verdict]:
    """Hold a run to the bars that are for its device, its threads and its workloads.

    A bar whose workload ran but whose figures are missing (no such peer, a failure) is not met.
    """
    settings = data["settings"]
    measured = {(result["workload"], result["metric"]): result for result in data["results"]}
    return [
        _judge(settings["subject"], measured[bar.workload, bar.metric], bar)
        for bar in bars
        if bar.device == settings["device"].partition(":")[0]
        and bar.threads == settings["threads"]
        and (bar.workload, bar.metric) in measured
    ]


def _judge(subject: str, result: Data, bar: Bar) -> Verdict:
    if bar.ratio is not None:
        what, unit, bound = f"{subject}/{bar.against}", "", bar.ratio
        value = result["ratios"].get(bar.against)
    else:
        assert bar.at_most is not None
        what, unit, bound = subject, result["unit"], bar.at_most
        value = result["medians"].get(subject)
    met = False
    if value is None:
        found = "not measured"
    elif bar.against in result["disagreements"]:
        found = "they compute different things"
    else:
        met = value["median"] <= bound
        found = quantity(value["median"], unit)
    word = "met   " if met else "MISSED"
    why = f" ({bar.why})" if bar.why else ""
    return Verdict(
        bar, met, f"{word}  {result['label']}, {what}: {found}; bar {quantity(bound, unit)}{why}"
    )
