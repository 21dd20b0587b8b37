"""The page of results for the documentation: a table, the bars, and time against size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.bars import Verdict
from bench.report import Data, to_markdown

PICTURE = "pictures/benchmarks.svg"

HEAD = """\
# Benchmarks

Made by `python -m bench --publish docs`; `bench/README.md` tells how it measures and how to read
the table, `bench/NOTES.md` what was tried. The times are this machine's: read the ratios.
"""

# The lines in the colour of their peer in every plot: three that the colour-blind tell apart, and
# marks besides.
LOOKS = {"devgrad": ("#0072b2", "o"), "torch": ("#d55e00", "s"), "hand": ("#009e73", "^")}


def publish(data: Data, verdicts: Sequence[Verdict], folder: Path) -> Path:
    """Write the page and its picture into the folder; the page's path.

    Without matplotlib, or when no workload came in several sizes, there is no picture.
    """
    text = [HEAD]
    if _plot(data, folder / PICTURE):
        text.append(f"![Time against size, for each peer]({PICTURE})\n")
    text.append(to_markdown(data))
    if verdicts:
        met = sum(verdict.met for verdict in verdicts)
        text.append(f"\n## Bars\n\n{met} of {len(verdicts)} met.\n")
        text.append("\n".join(f"- {verdict.text}" for verdict in verdicts) + "\n")
    page = folder / "benchmarks.md"
    page.write_text("\n".join(text), encoding="utf-8")
    return page


def curves(data: Data) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Of each family in several sizes, by its name and unit of work, for each peer: the sizes and
    the median times.
    """
    families: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for result in data["results"]:
        size = result["arguments"].get("size")
        if size is None or result["metric"] != "time" or "/" not in result["workload"]:
            continue
        family = f"{result['workload'].partition('/')[0]}, per {result['per']}"
        peers = families.setdefault(family, {})
        for peer, median in result["medians"].items():
            if median is not None:
                peers.setdefault(peer, []).append((size, median["median"]))
    several = {
        family: {peer: sorted(points) for peer, points in peers.items()}
        for family, peers in families.items()
    }
    return {
        family: peers
        for family, peers in several.items()
        if any(len({size for size, _ in points}) > 1 for points in peers.values())
    }


def _plot(data: Data, path: Path) -> bool:
    found = curves(data)
    if not found:
        return False
    try:
        import matplotlib
    except ModuleNotFoundError:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"svg.hashsalt": "devgrad", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = pyplot.subplots(
            1, len(found), figsize=(4.2 * len(found), 3.6), squeeze=False, layout="constrained"
        )
        for plot, (family, peers) in zip(axes[0], found.items(), strict=True):
            _draw(plot, family, peers)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)
    return True


def _draw(plot: Any, family: str, peers: dict[str, list[tuple[float, float]]]) -> None:
    for peer, points in peers.items():
        colour, mark = LOOKS.get(peer, (None, "d"))
        plot.loglog(*zip(*points, strict=True), color=colour, marker=mark, ms=4, lw=1.5, label=peer)
    plot.set_title(family)
    plot.set_xlabel("rows of a square matrix" if family.startswith("matmul") else "elements")
    plot.set_ylabel("seconds")
    plot.grid(True, which="major", lw=0.4, alpha=0.6)
    plot.legend(frameon=False)
