"""Rows taken out of a table, and gradients added into it where an index repeats."""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload
from bench.workloads.images import scattered

# Many more rows than indices, and as many indices as rows.
EMBEDDINGS = {
    "10k": {"rows": 10_000, "width": 32, "count": 8_192},
    "1M": {"rows": 1_000_000, "width": 32, "count": 8_192},
}
TABLE = {"rows": 1_000_000, "count": 100_000}
QUICK_TABLE = {"rows": 1_000, "count": 100}


def indices(lib: Any, device: Any, count: int, rows: int) -> Any:
    """Indices without an order, some of them twice."""
    numbers = lib.arange(count, device=device)
    return (numbers * numbers * 31 + numbers * 7919) % rows


@workload("embedding", per="step", cases=EMBEDDINGS, quick={"rows": 100, "count": 64})
def embedding(lib: Any, device: Any, *, rows: int, width: int, count: int) -> Case:
    """`nn.functional.embedding` of 8,192 indices, and the gradient of the table, 32 wide."""
    table = scattered(lib, device, rows, width).requires_grad_()
    index = indices(lib, device, count, rows)
    g = scattered(lib, device, count, width, start=3)
    out = None

    def step() -> None:
        nonlocal out
        table.grad = None
        out = lib.nn.functional.embedding(index, table)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "table.grad": table.grad})


@embedding.hand
def embedding_hand(xp: Any, *, rows: int, width: int, count: int) -> Case:
    """Sorted indices, and the rows of equal ones added together."""
    n = xp.arange(rows * width)
    table = ((n * n * 7919 % 1_000_003 - 500_001).astype(xp.float32) / xp.float32(500_001)).reshape(
        rows, width
    )
    n = xp.arange(count)
    index = (n * n * 31 + n * 7919) % rows
    n = xp.arange(3, 3 + count * width)
    g = ((n * n * 7919 % 1_000_003 - 500_001).astype(xp.float32) / xp.float32(500_001)).reshape(
        count, width
    )
    result: dict[str, Any] = {}

    def step() -> None:
        out = table.take(index, axis=0)
        order = xp.argsort(index, kind="stable")
        in_order = index[order]
        first = xp.concatenate((xp.ones(1, bool), in_order[1:] != in_order[:-1])).nonzero()[0]
        grad = xp.zeros((rows, width), xp.float32)
        grad[in_order[first]] = xp.add.reduceat(g[order], first, axis=0)
        result.update({"out": out, "table.grad": grad})

    return Case(step, result=lambda: result)


@workload("fancy_index", per="step", cases={"1M": TABLE}, quick=QUICK_TABLE)
def fancy_index(lib: Any, device: Any, *, rows: int, count: int) -> Case:
    """`x[index]` of 100,000 indices into a million elements, and its gradient."""
    x = scattered(lib, device, rows).requires_grad_()
    index = indices(lib, device, count, rows)
    g = scattered(lib, device, count, start=3)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        out = x[index]
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@fancy_index.hand
def fancy_index_hand(xp: Any, *, rows: int, count: int) -> Case:
    """`take`, and `add.at`."""
    n = xp.arange(rows)
    x = (n * n * 7919 % 1_000_003 - 500_001).astype(xp.float32) / xp.float32(500_001)
    n = xp.arange(count)
    index = (n * n * 31 + n * 7919) % rows
    n = xp.arange(3, 3 + count)
    g = (n * n * 7919 % 1_000_003 - 500_001).astype(xp.float32) / xp.float32(500_001)
    result: dict[str, Any] = {}

    def step() -> None:
        out = x.take(index)
        grad = xp.zeros(rows, xp.float32)
        xp.add.at(grad, index, g)
        result.update({"out": out, "x.grad": grad})

    return Case(step, result=lambda: result)


@workload(
    "gather", per="step", cases={"1M": {"rows": 1_000_000, "count": 4}}, quick={"rows": 1_000}
)
def gather(lib: Any, device: Any, *, rows: int, count: int) -> Case:
    """`gather` of 4 of the 8 columns of each of a million rows, and its gradient."""
    x = scattered(lib, device, rows, 8).requires_grad_()
    index = indices(lib, device, rows * count, 8).reshape(rows, count)
    g = scattered(lib, device, rows, count, start=3)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        out = x.gather(1, index)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad})


@workload("index_add", per="step", cases={"1M": {"rows": 1_000_000, "width": 8, "count": 100_000}},
          quick={"rows": 1_000, "count": 100})  # fmt: skip
def index_add(lib: Any, device: Any, *, rows: int, width: int, count: int) -> Case:
    """100,000 rows of 8 added into a table of a million, and the gradients of both."""
    x = scattered(lib, device, rows, width).requires_grad_()
    source = scattered(lib, device, count, width, start=1).requires_grad_()
    index = indices(lib, device, count, rows)
    g = scattered(lib, device, rows, width, start=3)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = source.grad = None
        out = x.index_add(0, index, source)
        out.backward(g)

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad, "source.grad": source.grad})
