"""The regression on the CPU and on a CUDA device from the same seed: how far apart they get."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.registry import Case
from bench.workloads.regression import regression

STEPS = 800

# float32 carries 7 digits; the devices add 100 terms in different orders, and the descent draws
# the two paths together again, so the difference stays near the rounding error of a sum. Between
# PyTorch and hand-written NumPy it is 3e-5 for the loss (which starts at 993), 5e-7 for w and
# 2e-7 for b.
RTOL = 5e-6
ATOL = 5e-6

NAMES = ("loss", "w", "b")
Point = tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """The largest difference of one quantity along the path, the step where it was, and the first
    step that was beyond the tolerance (None when none was).
    """

    name: str
    largest: float
    step: int
    beyond: int | None

    @property
    def within(self) -> bool:
        """Whether every step was within the tolerance."""
        return self.beyond is None


@dataclass(frozen=True)
class Comparison:
    """Two runs of the regression. devices: where they really ran."""

    devices: tuple[str, str]
    steps: int
    differences: tuple[Difference, ...]
    last: tuple[Point, Point]

    @property
    def passed(self) -> bool:
        return all(difference.within for difference in self.differences)

    @property
    def same_device(self) -> bool:
        """Whether both ran on one device, in which case nothing was compared."""
        return self.devices[0] == self.devices[1]


def path(lib: Any, device: Any, steps: int = STEPS) -> tuple[str, list[Point]]:
    """Run the regression; the device it really ran on, and (loss, w, b) after each step."""
    case = regression.build(lib, device)
    assert isinstance(case, Case)
    assert case.result is not None
    points = []
    for _ in range(steps):
        case.step()
        values = case.result()
        points.append(tuple(values[name].item() for name in NAMES))
    return str(case.result()["w"].device), points


def compare(lib: Any, first: Any = "cpu", second: Any = "cuda", steps: int = STEPS) -> Comparison:
    """Run on both devices and compare the paths."""
    return compare_paths(path(lib, first, steps), path(lib, second, steps))


def compare_paths(
    first: tuple[str, Sequence[Point]], second: tuple[str, Sequence[Point]]
) -> Comparison:
    """The largest difference of each quantity, the first path being the reference. A value that
    is no number is beyond every tolerance.
    """
    (device1, path1), (device2, path2) = first, second
    if len(path1) != len(path2):
        raise ValueError(f"the paths have {len(path1)} and {len(path2)} steps")
    differences = tuple(
        _difference(name, [point[i] for point in path1], [point[i] for point in path2])
        for i, name in enumerate(NAMES)
    )
    return Comparison((device1, device2), len(path1), differences, (path1[-1], path2[-1]))


def _difference(name: str, first: Sequence[float], second: Sequence[float]) -> Difference:
    gaps = [abs(a - b) for a, b in zip(first, second, strict=True)]
    largest = max(range(len(gaps)), key=lambda i: math.inf if math.isnan(gaps[i]) else gaps[i])
    beyond = (i for i, gap in enumerate(gaps) if not gap <= ATOL + RTOL * abs(first[i]))
    step = next(beyond, None)
    return Difference(name, gaps[largest], largest + 1, None if step is None else step + 1)


def to_text(comparison: Comparison) -> str:
    """The comparison in a few lines."""
    one, two = comparison.devices
    lines = [f"regression, {comparison.steps} steps, {one} against {two}"]
    if comparison.same_device:
        lines.append(
            f"Both runs were on the {one.upper()}: there is no GPU that devgrad can use and the "
            "fallback is in force. This compares the device with itself and shows nothing about "
            "CUDA."
        )
    for point, device in zip(comparison.last, comparison.devices, strict=True):
        loss, w, b = point
        lines.append(f"  {device:<8} ends at loss {loss:.7g}, w {w:.7g}, b {b:.7g}")
    for difference in comparison.differences:
        line = f"  {difference.name:<5} differs by at most {difference.largest:.3g}"
        line += f" (step {difference.step})"
        if not difference.within:
            line += f", BEYOND the tolerance first at step {difference.beyond}"
        lines.append(line)
    lines.append(
        f"tolerance at every step: {ATOL:g} + {RTOL:g} of the value on the first device: "
        + ("met" if comparison.passed else "NOT met")
    )
    return "\n".join(lines) + "\n"
