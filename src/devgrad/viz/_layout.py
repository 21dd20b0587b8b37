"""A layered drawing of a directed acyclic graph.

In the manner of Sugiyama: vertices are put into layers, an edge over several layers is cut by a
*bend* in each layer between, the order within each layer is changed until few edges cross, and
then positions are chosen so that edges run straight. Layers are counted from the end, so that what
an operator takes stands directly before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Layout", "layers_of", "layout"]

Point = tuple[float, float]


@dataclass
class Layout:
    """Where things are.

    Attributes:
        centers: of the vertices.
        routes: of each edge, the points that it passes, from its source's rim to its target's; two
            at a time are the ends of a straight part within a layer, and curves lie between.
        width, height: of the whole.
    """

    centers: list[Point]
    routes: list[list[Point]]
    width: float
    height: float


def layers_of(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """For each vertex the length of the longest path from it to an end."""
    targets: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    sources: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        targets[source].append(target)
        sources[target].append(source)
        waiting[source] += 1
    layer = [0] * count
    ready = [v for v in range(count) if not waiting[v]]
    while ready:
        v = ready.pop()
        layer[v] = max((layer[t] + 1 for t in targets[v]), default=0)
        for source in sources[v]:
            waiting[source] -= 1
            if not waiting[source]:
                ready.append(source)
    return layer


def layout(
    sizes: Sequence[tuple[float, float]],
    edges: Sequence[tuple[int, int]],
    strengths: Sequence[float],
    wide: Sequence[bool],
    *,
    across: float = 14.0,
    along: float = 24.0,
    rightward: bool = False,
) -> Layout:
    """Arrange vertices of these sizes.

    Args:
        sizes: width and height of each vertex.
        edges: ``(source, target)``: the source stands before the target.
        strengths: how much each edge wants to be straight.
        wide: whether edges may arrive at a vertex beside its middle.
        across, along: the gaps between vertices of a layer, and between layers.
        rightward: whether the layers are columns from left to right, rather than rows downward.
    """
    drawing = _Drawing([(h, w) if rightward else (w, h) for w, h in sizes], edges, strengths)
    drawing.order()
    drawing.place(across)
    found = drawing.result(along, wide)
    if rightward:
        return Layout(
            [(y, x) for x, y in found.centers],
            [[(y, x) for x, y in route] for route in found.routes],
            found.height,
            found.width,
        )
    return found


class _Drawing:
    """Layers are rows here, numbered from the bottom."""

    def __init__(
        self, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]],
        strengths: Sequence[float],
    ) -> None:  # fmt: skip
        self.count = len(sizes)
        self.sizes = list(sizes)
        self.layer = layers_of(self.count, edges)
        self.edges = edges
        self.chains: list[list[int]] = []  # of each edge: source, bends, target
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        self.strength: dict[tuple[int, int], float] = {}
        for (source, target), strength in zip(edges, strengths):
            chain = [source]
            for layer in range(self.layer[source] - 1, self.layer[target], -1):
                chain.append(self._bend(layer))
            chain.append(target)
            self.chains.append(chain)
            for upper, lower in zip(chain, chain[1:]):
                # A long edge that wavers is worse than a short one that slants.
                bends = (upper >= self.count) + (lower >= self.count)
                known = self.strength.get((upper, lower), 0.0)
                self.strength[upper, lower] = known + strength * (1, 2, 8)[bends]
                self.below[upper].append(lower)
                self.above[lower].append(upper)
        self.rows: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        self._first_order()

    def _bend(self, layer: int) -> int:
        self.sizes.append((2.0, 0.0))
        self.layer.append(layer)
        self.above.append([])
        self.below.append([])
        return len(self.layer) - 1

    def _first_order(self) -> None:
        """Depth first from the ends, so that what belongs together stands together."""
        seen: set[int] = set()
        ends = [v for v in range(len(self.layer)) if not self.below[v]]
        for end in ends:
            stack = [end]
            while stack:
                v = stack.pop()
                if v not in seen:
                    seen.add(v)
                    self.rows[self.layer[v]].append(v)
                    stack.extend(reversed(self.above[v]))

    # --- the order within the layers ------------------------------------------------------------

    def order(self) -> None:
        """Change the order until few edges cross."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        idle = 0
        for sweep in range(48):
            if fewest == 0 or idle > 16:
                break
            downward = sweep % 2 == 0
            # What is equally good is left as it is, or turned round, to come out of dead ends.
            turn = sweep % 8 >= 4
            rows = self.rows[-2::-1] if downward else self.rows[1:]
            for row in rows:
                self._by_neighbours(row, self.above if downward else self.below, turn)
            if turn:
                self._swap_neighbours(equal=True)
            while self._swap_neighbours():
                pass
            crossings = self._crossings()
            idle += 1
            if crossings < fewest:
                best, fewest, idle = [list(row) for row in self.rows], crossings, 0
        self.rows = best

    def _positions(self) -> dict[int, int]:
        return {v: i for row in self.rows for i, v in enumerate(row)}

    def _by_neighbours(self, row: list[int], neighbours: list[list[int]], turn: bool) -> None:
        position = self._positions()

        def middle(v: int) -> float:
            found = [position[n] for n in neighbours[v]]
            return sum(found) / len(found) if found else position[v]

        if turn:
            row.reverse()
        row.sort(key=middle)  # stable: ties stay as they are

    def _swap_neighbours(self, equal: bool = False) -> bool:
        """Swap what stands side by side where fewer edges cross then, or as many if ``equal``.

        Returns:
            Whether anything has become better.
        """
        position = self._positions()
        better = False
        for row in self.rows:
            for i in range(len(row) - 1):
                a, b = row[i], row[i + 1]
                now = then = 0
                for neighbours in (self.above, self.below):
                    left = [position[n] for n in neighbours[a]]
                    right = [position[n] for n in neighbours[b]]
                    now += sum(x > y for x in left for y in right)
                    then += sum(x < y for x in left for y in right)
                if then < now or (equal and then == now):
                    row[i], row[i + 1] = b, a
                    position[a], position[b] = i + 1, i
                    better = better or then < now
        return better

    def _crossings(self) -> int:
        position = self._positions()
        total = 0
        for row in self.rows:
            # Edges down from this row, sorted by their upper ends: each pair that is in the
            # wrong order at the lower ends crosses.
            lower = [p for a in row for p in sorted(position[b] for b in self.below[a])]
            total += _inversions(lower)
        return total

    # --- positions ------------------------------------------------------------------------------

    def place(self, gap: float) -> None:
        """Choose where in its layer each vertex stands."""
        self.x = [0.0] * len(self.layer)
        distances = []
        for row in self.rows:
            apart = [(self.sizes[a][0] + self.sizes[b][0]) / 2 + gap for a, b in zip(row, row[1:])]
            distances.append(apart)
            at = 0.0
            for v, d in zip(row, [*apart, 0.0]):
                self.x[v] = at
                at += d
            for v in row:
                self.x[v] -= at / 2
        self.gap = gap
        count = len(self.rows)
        for sweep in range(60):
            downward = sweep % 2 == 0
            one_sided = sweep < 16
            numbers = range(count - 1, -1, -1) if downward else range(count)
            for number in numbers:
                self._settle(number, distances[number], one_sided, downward)
        self._straighten()
        low = min((self.x[v] - self.sizes[v][0] / 2 for v in range(len(self.x))), default=0.0)
        self.x = [x - low for x in self.x]

    def _straighten(self) -> None:
        """Put the bends of a long edge below one another, as many as there is room for."""
        beside = {}
        for row in self.rows:
            for left, v, right in zip([None, *row], row, [*row[1:], None]):
                beside[v] = left, right

        def room(v: int) -> tuple[float, float]:
            left, right = beside[v]
            half, x = self.sizes[v][0] / 2 + self.gap, self.x
            low = -1e9 if left is None else x[left] + self.sizes[left][0] / 2 + half
            high = 1e9 if right is None else x[right] - self.sizes[right][0] / 2 - half
            return low, high

        for chain in self.chains:
            run: list[int] = []
            low, high = -1e9, 1e9
            for bend in [*chain[1:-1], None]:
                if bend is not None:
                    lower, upper = room(bend)
                    if max(low, lower) <= min(high, upper):
                        low, high = max(low, lower), min(high, upper)
                        run.append(bend)
                        continue
                if run:
                    middle = sum(self.x[v] for v in run) / len(run)
                    for v in run:
                        self.x[v] = min(max(middle, low), high)
                if bend is not None:
                    run, (low, high) = [bend], room(bend)

    def _settle(self, number: int, apart: list[float], one_sided: bool, downward: bool) -> None:
        """Put a row as near as possible to where its neighbours want it, at proper distances."""
        row = self.rows[number]
        wishes, weights = [], []
        for v in row:
            total = weight = 0.0
            if downward or not one_sided:
                for u in self.above[v]:
                    s = self.strength[u, v]
                    total, weight = total + s * self.x[u], weight + s
            if not downward or not one_sided:
                for u in self.below[v]:
                    s = self.strength[v, u]
                    total, weight = total + s * self.x[u], weight + s
            wishes.append(total / weight if weight else self.x[v])
            weights.append(weight or 0.01)
        for v, x in zip(row, _nearest(wishes, weights, apart)):
            self.x[v] = x

    # --- the drawing ----------------------------------------------------------------------------

    def result(self, gap: float, wide: Sequence[bool]) -> Layout:
        """Points for all vertices and edges; y grows downward."""
        heights = [max((self.sizes[v][1] for v in row), default=0.0) for row in self.rows]
        middles = [0.0] * len(self.rows)
        y = 0.0
        for number in range(len(self.rows) - 1, -1, -1):
            middles[number] = y + heights[number] / 2
            y += heights[number] + gap
        centers = [(self.x[v], middles[self.layer[v]]) for v in range(self.count)]
        routes = []
        for chain, start, end in zip(self.chains, *self._ports(wide)):
            source, *bends, target = chain
            route = [(start, centers[source][1] + self.sizes[source][1] / 2)]
            if route[0][1] < middles[self.layer[source]] + heights[self.layer[source]] / 2:
                route.append((start, middles[self.layer[source]] + heights[self.layer[source]] / 2))
            else:
                route.append(route[0])
            for bend in bends:
                half = heights[self.layer[bend]] / 2
                middle = middles[self.layer[bend]]
                route += [(self.x[bend], middle - half), (self.x[bend], middle + half)]
            half = heights[self.layer[target]] / 2
            route.append((end, middles[self.layer[target]] - half))
            route.append((end, centers[target][1] - self.sizes[target][1] / 2))
            routes.append(route)
        width = max((self.x[v] + self.sizes[v][0] / 2 for v in range(len(self.x))), default=0.0)
        return Layout(centers, routes, width, max(y - gap, 0.0))

    def _ports(self, wide: Sequence[bool]) -> tuple[list[float], list[float]]:
        """Where along its source's and its target's rim each edge begins and ends: in the middle
        of the one, as straight as possible below its last bend on the other."""
        starts = [self.x[chain[0]] for chain in self.chains]
        ends = [0.0] * len(self.chains)
        arriving: dict[int, list[int]] = {}
        for number, chain in enumerate(self.chains):
            arriving.setdefault(chain[-1], []).append(number)
        for v, numbers in arriving.items():
            numbers.sort(key=lambda number: self.x[self.chains[number][-2]])
            half = self.sizes[v][0] / 2 - 7 if wide[v] else 0.0
            last = len(numbers) - 1
            step = min(2 * half / len(numbers), 11.0)
            low, high = self.x[v] - half, self.x[v] + half
            before = [self.chains[number][-2] for number in numbers]
            wishes = [min(max(self.x[u], low), high) for u in before]
            found = _nearest(wishes, [self.strength[u, v] for u in before], [step] * last)
            for i, (number, x) in enumerate(zip(numbers, found)):
                ends[number] = min(max(x, low + i * step), high - (last - i) * step)
        return starts, ends


def _inversions(values: list[int]) -> int:
    """How many pairs of a list are in descending order."""
    tree = [0] * (max(values, default=0) + 2)
    total = 0
    for seen, value in enumerate(values):
        not_greater, i = 0, value + 1
        while i > 0:
            not_greater += tree[i]
            i -= i & -i
        total += seen - not_greater
        i = value + 1
        while i < len(tree):
            tree[i] += 1
            i += i & -i
    return total


def _nearest(wishes: list[float], weights: list[float], apart: list[float]) -> list[float]:
    """Positions at least ``apart`` from one another, of least squared distance to the wishes.

    Measured from where each would stand if all were packed, the positions must not descend: an
    isotonic regression, solved by pooling adjacent violators.
    """
    offsets = [0.0]
    for d in apart:
        offsets.append(offsets[-1] + d)
    blocks: list[list[float]] = []  # sum of weight * wish, sum of weights, how many
    for wish, weight, offset in zip(wishes, weights, offsets):
        blocks.append([weight * (wish - offset), weight, 1])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] > blocks[-1][0] * blocks[-2][1]:
            total, weight_, number = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += weight_
            blocks[-1][2] += number
    flat = [total / weight for total, weight, number in blocks for _ in range(int(number))]
    return [x + offset for x, offset in zip(flat, offsets)]
