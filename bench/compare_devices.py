"""The regression on the CPU and on a CUDA device from the same seed: how far apart they get."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.registry import Case
from bench.workloads.regression import regression

STEPS = 800

# float32 carries 7 digits; the devices add 100 terms in different orders, and the descent draws
# the two paths together again, so the difference stays near a rounding error of a sum.
RTOL = 2e-5
ATOL = 1e-5

NAMES = ("loss", "w", "b")
Point = tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """The largest difference of one quantity along the path, and where it was."""

    name: str
    largest: float
    step: int
    allowed: float
    within: bool


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
    differences = []
    for index, name in enumerate(NAMES):
        worst: Difference | None = None
        worst_share = -1.0
        for step, (a, b) in enumerate(zip(path1, path2, strict=True), 1):
            gap = abs(a[index] - b[index])
            allowed = ATOL + RTOL * abs(a[index])
            share = gap / allowed if gap == gap else float("inf")
            if share > worst_share:
                worst_share = share
                worst = Difference(name, gap, step, allowed, share <= 1)
        assert worst is not None
        differences.append(worst)
    return Comparison((device1, device2), len(path1), tuple(differences), (path1[-1], path2[-1]))


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
        verdict = "within" if difference.within else "BEYOND"
        lines.append(
            f"  {difference.name:<5} differs most at step {difference.step}: "
            f"{difference.largest:.3g}, {verdict} {difference.allowed:.3g}"
        )
    lines.append(f"tolerance: {ATOL:g} + {RTOL:g} x the first device's value, at every step")
    return "\n".join(lines) + "\n"
