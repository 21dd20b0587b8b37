"""`memory`: what the graph of a loss keeps alive until its backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .._tensor import Tensor, wrap
from ..autograd._graph import AccumulateGrad, Node
from ..autograd._walk import nodes_from
from ..device import array_namespace
from ..ops._index import Places
from ._figure import pyplot
from ._source import Place, place_of

__all__ = ["MemoryReport", "MemoryRow", "memory"]


@dataclass(frozen=True)
class MemoryRow:
    """What the nodes of one operator, made by one line, were the first to keep.

    Attributes:
        operator: the node's name without ``Backward0``.
        place: the user's line.
        arrays: how many storages.
        bytes: how much they hold.
        leaves: how much of that belongs to leaves that require grad: parameters, alive anyway.
    """

    operator: str
    place: Place
    arrays: int
    bytes: int
    leaves: int


class MemoryReport:
    """A table of what is kept alive; see `memory`. Printed, it is one."""

    def __init__(self, rows: list[MemoryRow], nodes: int) -> None:
        self.rows = sorted(rows, key=lambda row: -row.bytes)
        self.nodes = nodes

    @property
    def total(self) -> int:
        """The bytes that are kept alive."""
        return sum(row.bytes for row in self.rows)

    @property
    def leaves(self) -> int:
        """Those of them that belong to leaves that require grad, and so are alive anyway."""
        return sum(row.leaves for row in self.rows)

    def by_op(self) -> dict[str, int]:
        """The bytes by operator, most first."""
        return self._by(lambda row: row.operator)

    def by_line(self) -> dict[str, int]:
        """The bytes by line of the user's code, most first."""
        return self._by(_line)

    def _by(self, key: Any) -> dict[str, int]:
        sums: dict[str, int] = {}
        for row in self.rows:
            sums[key(row)] = sums.get(key(row), 0) + row.bytes
        return dict(sorted(sums.items(), key=lambda item: -item[1]))

    def text(self) -> str:
        """The table."""
        count = sum(row.arrays for row in self.rows)
        lines = [
            f"{size_text(self.total)} kept alive, in {count} arrays, by a graph of {self.nodes} "
            f"nodes; {size_text(self.leaves)} of it leaves that require grad"
        ]
        if self.rows:
            lines.append(f"{'bytes':>10}  {'share':>6}  {'arrays':>6}  {'operator':<16}  line")
        for row in self.rows:
            share = 100 * row.bytes / (self.total or 1)
            lines.append(
                f"{size_text(row.bytes):>10}  {share:5.1f}%  {row.arrays:6d}  "
                f"{row.operator:<16}  {_line(row)}"
            )
        return "\n".join(lines)

    __str__ = text

    def __repr__(self) -> str:
        return f"<devgrad.viz.MemoryReport: {size_text(self.total)} by {self.nodes} nodes>"

    def figure(self, axes: Any = None, most: int = 12) -> Any:
        """A bar chart as a matplotlib figure: a bar for each line of the user's code, divided
        into operators.

        Args:
            axes: where to draw; by default in a new figure.
            most: how many bars; what is left goes into a last one.

        Raises:
            ImportError: matplotlib is not installed.
        """
        lines = list(self.by_line())
        if len(lines) > most:
            lines = [*lines[: most - 1], ""]
        if axes is None:
            height = 1.1 + 0.36 * max(len(lines), 1)
            _, axes = pyplot().subplots(figsize=(9.0, height), layout="constrained")
        unit, name = _unit(self.total)
        operators = list(self.by_op())
        known = {line: i for i, line in enumerate(lines)}
        ends = [0.0] * len(lines)
        for number, operator in enumerate(operators):
            widths = [0.0] * len(lines)
            for row in self.rows:
                if row.operator == operator:
                    widths[known.get(_line(row), len(lines) - 1)] += row.bytes / unit
            # Ten colours; what comes after the ninth operator is "others".
            axes.barh(
                range(len(lines)), widths, left=ends, height=0.7, color=f"C{min(number, 9)}",
                label=operator if number < 9 else "others" if number == 9 else None,
                edgecolor="white", linewidth=0.5,
            )  # fmt: skip
            ends = [end + width for end, width in zip(ends, widths)]
        for position, end in enumerate(ends):
            axes.text(end, position, f" {size_text(int(end * unit))}", va="center", size=8)
        axes.set_yticks(range(len(lines)))
        axes.set_yticklabels([_shortened(line or "other lines") for line in lines], size=8)
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.set_xlim(0, max([*ends, 0.001]) * 1.15)
        axes.set_xlabel(f"{name} kept alive")
        axes.set_title(f"{size_text(self.total)} kept for the backward pass", size=10)
        axes.spines[["top", "right"]].set_visible(False)
        if operators:
            axes.legend(loc="lower right", fontsize=8, frameon=False)
        return axes.figure


def _line(row: MemoryRow) -> str:
    return f"{row.place.short}  {row.place.text}"


def _shortened(text: str, most: int = 52) -> str:
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.replace("$", r"\$")


def _unit(size: int) -> tuple[int, str]:
    for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if size >= 1024**power:
            return 1024**power, name
    return 1, "bytes"


def size_text(size: int) -> str:
    """``1.5 MiB``."""
    unit, name = _unit(size)
    return f"{size} {name}" if unit == 1 else f"{size / unit:.1f} {name}"


def memory(outputs: Any) -> MemoryReport:
    """What the graph of ``outputs`` keeps alive, by operator and by line of the user's code.

    A node keeps the arrays that its derivative needs until a backward pass has used them. Each
    array is counted once, for the oldest node that keeps it; a view counts as the whole storage
    that it is a view of.

    Args:
        outputs: a tensor or several, a loss say.

    Returns:
        A `MemoryReport`: print it, or draw its ``figure()``.

    Raises:
        TypeError: something is not a tensor.

    >>> import devgrad
    >>> from devgrad.viz import memory
    >>> x = devgrad.ones(1000, requires_grad=True)
    >>> report = memory((x.exp() * x).sum())
    >>> report.total, report.leaves
    (8000, 4000)
    >>> report.by_op()
    {'Exp': 4000, 'Mul': 4000}
    """
    roots = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    for root in roots:
        if not isinstance(root, Tensor):
            raise TypeError(f"expected a Tensor or a list of them, got {type(root).__name__}")
    nodes = nodes_from(y._own_edge() for y in roots)
    leaves = [n.variable for n in nodes if isinstance(n, AccumulateGrad)]
    own = {_storage(leaf._array, leaf.device)[0] for leaf in leaves if leaf is not None}
    seen: set[Any] = set()
    sums: dict[tuple[str, Place], list[int]] = {}
    inner = [node for node in nodes if not isinstance(node, AccumulateGrad)]
    for node in inner:
        kind = node.tensor_type if node.outputs is None else node.tensor_type[0]
        for array in _arrays_in(node.saved):
            key, size = _storage(array, kind.device)
            if key in seen:
                continue
            seen.add(key)
            row = sums.setdefault((_operator(node), place_of(node.code, node.lasti)), [0, 0, 0])
            row[0] += 1
            row[1] += size
            row[2] += size if key in own else 0
    return MemoryReport([MemoryRow(*key, *row) for key, row in sums.items()], len(inner))


def _operator(node: Node) -> str:
    title = node.name().rpartition("::")[2]
    return title.partition("Backward")[0] or title


def _arrays_in(saved: Any) -> Iterator[Any]:
    """The arrays in what a node has saved, also those of an index."""
    if saved.__class__ in (tuple, list):
        for entry in saved:
            yield from _arrays_in(entry)
    elif isinstance(saved, Tensor):
        yield saved._array
    elif isinstance(saved, Places):
        yield from _arrays_in((saved.index, saved.tensors))
    elif hasattr(saved, "nbytes") and array_namespace(saved) is not None:
        yield saved


def _storage(array: Any, device: Any) -> tuple[Any, int]:
    """What tells the storage of an array from others, and its size in bytes."""
    kind = device.types[array.dtype]
    offset, size = kind.xp.storage(array)
    item = array.itemsize
    return (device, wrap(array, kind).data_ptr() - offset * item), size * item
