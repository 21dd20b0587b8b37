"""What the examples share: options of the command line, a bar that shows progress, pictures."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLUE, RED, GREY = "#3b75af", "#c8382e", "#8a8a8a"


def options(description: str, steps: int, picture: str) -> argparse.ArgumentParser:
    """The options that every example has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--steps", type=int, default=steps, help=f"how many steps ({steps})")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers (0)")
    parser.add_argument("--out", type=Path, default=Path(picture), help="the picture")
    return parser


class Progress:
    """Counts steps: with tqdm as a bar with the rate and the loss, without it silently."""

    def __init__(self, steps: int) -> None:
        try:
            from tqdm import tqdm
        except ModuleNotFoundError:
            tqdm = None
        self.bar: Any = range(steps) if tqdm is None else tqdm(range(steps), mininterval=0.2)

    def __iter__(self) -> Iterator[int]:
        return iter(self.bar)

    def show(self, **numbers: float) -> None:
        """Show numbers beside the bar."""
        if hasattr(self.bar, "set_postfix"):
            self.bar.set_postfix({name: f"{n:.4f}" for name, n in numbers.items()}, refresh=False)


def figure(width: float, height: float) -> Any:
    """A figure that draws into a file, so that no display is needed; None without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        print('picture: none, as matplotlib is missing: python -m pip install -e ".[examples]"')
        return None
    return Figure(figsize=(width, height), layout="constrained")


def save(picture: Any, out: Path) -> None:
    """Save a figure and say where."""
    out.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(out, dpi=110)
    print(f"picture: {out.resolve()}")
