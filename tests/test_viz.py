"""Graphs and their memory, seen: what is drawn is what was computed, and can be read."""

from __future__ import annotations

import gc
import itertools
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import devgrad
from devgrad.utils.checkpoint import checkpoint
from devgrad.viz import draw_graph, live_nodes, memory, print_graph
from devgrad.viz._layout import layers_of, layout
from devgrad.viz._scene import Scene, Shape, segments
from devgrad.viz._trace import Operator, Variable

try:
    import torch
except ImportError:
    torch = None

needs_positions = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 keeps the line of an instruction, no more"
)


# --- the graphs -----------------------------------------------------------------------------------


def tutorial() -> tuple[Any, ...]:
    x = devgrad.Tensor([2])
    w = devgrad.tensor([3.0], requires_grad=True)
    b = devgrad.tensor([1.0], requires_grad=True)
    y = devgrad.mul(w, x)
    z = devgrad.add(y, b)
    return x, w, b, y, z


def mlp() -> Any:
    x, t = devgrad.ones(32, 10), devgrad.ones(32, 1)
    w1, b1 = devgrad.ones(10, 16, requires_grad=True), devgrad.zeros(16, requires_grad=True)
    w2, b2 = devgrad.ones(16, 1, requires_grad=True), devgrad.zeros(1, requires_grad=True)
    h = devgrad.relu(x @ w1 + b1)
    y = h @ w2 + b2
    loss = ((y - t) ** 2).mean()
    return loss


def lstm(steps: int = 5) -> Any:
    x = devgrad.ones(steps, 4, 3)
    w = devgrad.ones(3, 24, requires_grad=True)
    u = devgrad.ones(6, 24, requires_grad=True)
    bias = devgrad.zeros(24, requires_grad=True)

    def cell(x: Any, h: Any, c: Any) -> Any:
        gates = x @ w + h @ u + bias
        i, f, g, o = gates.chunk(4, dim=1)
        c = devgrad.sigmoid(f) * c + devgrad.sigmoid(i) * devgrad.tanh(g)
        h = devgrad.sigmoid(o) * devgrad.tanh(c)
        return h, c

    h = c = devgrad.zeros(4, 6)
    for t in range(steps):
        h, c = cell(x[t], h, c)
    loss = (h**2).mean()
    return loss


def variables(drawing: Any) -> dict[str, Variable]:
    return {v.name: v for v in drawing._trace.variables() if v.name}


def titles(drawing: Any) -> list[str]:
    return [operator.title for operator in drawing._trace.operators]


# --- what is drawn --------------------------------------------------------------------------------


@needs_positions
def test_the_tutorials_graph() -> None:
    x = devgrad.Tensor([2])
    w = devgrad.tensor([3.0], requires_grad=True)
    b = devgrad.tensor([1.0], requires_grad=True)
    y = devgrad.mul(w, x)
    z = devgrad.add(y, b)
    for done in (False, True):
        if done:
            z.backward()
        drawing = draw_graph(z)
        assert titles(drawing) == ["Mul", "Add"]
        found = variables(drawing)
        assert list(found) == ["w", "x", "y", "b", "z"]
        assert {n: v.kind for n, v in found.items()} == {
            "w": "leaf", "x": "leaf", "y": "value", "b": "leaf", "z": "root",
        }  # fmt: skip
        assert [n for n, v in found.items() if not v.requires_grad] == ["x"]
        assert all(v.shape == (1,) for v in found.values())
        mul, add = drawing._trace.operators
        assert [v.name for v in mul.inputs + mul.outputs] == ["w", "x", "y"]
        assert [v.name for v in add.inputs + add.outputs] == ["y", "b", "z"]
        norms = {n: v.gradient for n, v in found.items()}
        grads = {"w": 2.0, "b": 1.0} if done else {}
        assert norms == {n: grads.get(n) for n in found}


def test_names_come_from_the_caller_and_from_params() -> None:
    class Model:
        def __init__(self) -> None:
            self.weight = devgrad.ones(2, requires_grad=True)
            self.layers = [devgrad.ones(2, requires_grad=True)]

        def named_parameters(self) -> Any:
            return [("weight", self.weight)]

    class Plain:
        def __init__(self) -> None:
            self.scale = devgrad.ones(2, requires_grad=True)

    model, plain = Model(), Plain()
    held = {"k": devgrad.ones(2, requires_grad=True)}
    row = [devgrad.ones(2, requires_grad=True)]
    out = model.weight * plain.scale * held["k"] * row[0]
    assert set(variables(draw_graph(out))) >= {
        "model.weight", "plain.scale", "held['k']", "row[0]", "out",
    }  # fmt: skip
    assert "weight" in variables(draw_graph(out, model))
    assert "other" in variables(draw_graph(out, {"other": row[0]}))
    assert "pair" in variables(draw_graph(out, [("pair", row[0])]))
    with pytest.raises(TypeError, match="params must be a dict of tensors by name"):
        draw_graph(out, [row[0]])


@needs_positions
def test_names_come_from_the_line_that_computed() -> None:
    def made() -> Any:
        weight = devgrad.ones(3, requires_grad=True)
        hidden = weight.exp()
        first, second, _ = hidden.unbind()
        product = 2 * first
        product *= second
        return product.sin()

    found = variables(draw_graph(made()))
    assert {"weight", "hidden", "first", "second", "product"} <= set(found)
    assert found["weight"].kind == "leaf"


@needs_positions
def test_a_name_belongs_to_the_value_of_the_whole_line() -> None:
    x = devgrad.ones(3, requires_grad=True)
    y = devgrad.nn.functional.softplus(x).log_softmax(0) + 1  # one line, several operators
    for operator in draw_graph(y)._trace.operators[:-1]:
        assert [v.name for v in operator.outputs] == [""]
    z = x
    for _ in range(3):
        z = z.sin()
    drawing = draw_graph(z, fold=None)
    assert [op.outputs[0].name for op in drawing._trace.operators] == ["z", "z", "z"]


@needs_positions
def test_a_name_of_another_scope_is_not_taken_for_it() -> None:
    x = devgrad.ones(7, 2)  # not the x of `inner`
    w = devgrad.ones(2, requires_grad=True)

    def inner(x: Any) -> Any:
        return w * x

    out = inner(x[0]).sum()
    (given,) = [v for v in draw_graph(out)._trace.variables() if not v.requires_grad]
    assert (given.name, given.shape) == ("x", (2,))  # its array is saved
    out.backward()
    assert all(v.requires_grad for v in draw_graph(out)._trace.variables())  # and then it is not


def test_retained_gradients_are_shown() -> None:
    x = devgrad.tensor([3.0, 4.0], requires_grad=True)
    y = x * 2
    y.retain_grad()
    y.backward(devgrad.tensor([3.0, 4.0]))
    found = variables(draw_graph(y))
    assert found["y"].gradient == pytest.approx(5.0)
    assert found["x"].gradient == pytest.approx(10.0)
    c = devgrad.tensor([1j, 1.0], requires_grad=True)
    (c * c.conj()).real.sum().backward()
    assert variables(draw_graph(c))["c"].gradient == pytest.approx(math.sqrt(8))


def test_several_roots_leaves_and_constants_as_roots() -> None:
    x = devgrad.ones(2, requires_grad=True)
    a, b = x.exp(), x.sin()
    constant = devgrad.ones(2)
    found = variables(draw_graph([a, b, x, constant]))
    assert {n: v.kind for n, v in found.items()} == {
        "a": "root", "b": "root", "x": "leaf", "constant": "leaf",
    }  # fmt: skip
    assert ElementTree.fromstring(draw_graph(constant).svg()) is not None
    with pytest.raises(TypeError, match="expected a Tensor or a list of them, got int"):
        draw_graph(3)
    with pytest.raises(ValueError, match="direction must be"):
        draw_graph(x, direction="up")


def test_changes_in_place_and_second_derivatives_are_drawn() -> None:
    x = devgrad.ones(3, requires_grad=True)
    y = x * 2
    y[0] = 5.0
    assert "CopySlices" in titles(draw_graph(y))
    (g,) = devgrad.autograd.grad((x**3).sum(), x, create_graph=True)
    drawing = draw_graph(g)
    assert titles(drawing)[-1] == "Mul"
    assert variables(drawing)["x"].kind == "leaf"


def test_drawing_changes_nothing() -> None:
    x = devgrad.tensor([0.5], requires_grad=True)
    y = checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)
    before = live_nodes()
    draw_graph(y).svg()
    memory(y)
    assert live_nodes() == before
    y.backward()
    assert x.grad.item() == pytest.approx(math.cos(math.exp(0.5)) * math.exp(0.5))


# --- folding --------------------------------------------------------------------------------------


def test_folding_by_line_and_by_module() -> None:
    loss = lstm()
    single = draw_graph(loss, fold=None)
    lines = draw_graph(loss, fold="line")
    modules = draw_graph(loss, fold="module")
    count = len(single._trace.operators)
    assert sum(op.count for op in lines._trace.operators) == count
    assert sum(op.count for op in modules._trace.operators) == count
    assert len(lines._trace.operators) == 5 * 4 + 1
    assert [t for t in titles(lines) if t.startswith("h = ")] == [
        "h = devgrad.sigmoid(o) * devgrad.tanh(c)"
    ] * 5
    cells = [t for t in titles(modules) if t.endswith("cell()")]
    assert len(cells) == 5
    for drawing in (lines, modules):
        made = {id(v) for op in drawing._trace.operators for v in op.outputs}
        leaves = [v for op in drawing._trace.operators for v in op.inputs if id(v) not in made]
        assert {v.kind for v in leaves} == {"leaf"}  # nothing has lost its operator
    assert titles(draw_graph(loss)) == titles(modules)  # large graphs are folded by themselves
    with pytest.raises(ValueError, match="fold must be"):
        draw_graph(loss, fold="file")


def test_folding_by_the_modules_of_a_network() -> None:
    nn = devgrad.nn
    net = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Linear(4, 4)), nn.Linear(4, 1))
    loss = net(devgrad.ones(2, 3)).exp().sum()
    found = titles(draw_graph(loss, net, fold="module"))
    assert [t for t in found if t.endswith(")")] == [
        "0 (Linear)", "1.0 (Linear)", "2 (Linear)",
    ]  # fmt: skip
    found = titles(draw_graph(loss, fold="module"))  # by the caller's name for it
    assert found[0] == "net.0 (Linear)"
    text = str(draw_graph(loss, fold="module"))
    assert "net.1.0.weight" in text


def test_folded_graphs_are_acyclic() -> None:
    x = devgrad.ones(2, requires_grad=True)
    a, b = x.exp(), x.sin()
    for _ in range(3):
        a = b * a
        b = a + b
    drawing = draw_graph([a, b], fold="line")
    things: dict[int, int] = {}

    def number(thing: Any) -> int:
        return things.setdefault(id(thing), len(things))

    edges = []
    for op in drawing._trace.operators:
        edges += [(number(v), number(op)) for v in op.inputs]
        edges += [(number(op), number(v)) for v in op.outputs]
    layers = layers_of(len(things), edges)
    assert all(layers[a] > layers[b] for a, b in edges)


# --- the layout -----------------------------------------------------------------------------------


def overlap(a: Shape, b: Shape) -> bool:
    return (abs(a.x - b.x) < (a.width + b.width) / 2 - 1e-6
            and abs(a.y - b.y) < (a.height + b.height) / 2 - 1e-6)  # fmt: skip


def curve(piece: tuple[Any, ...], count: int = 10) -> list[tuple[float, float]]:
    if len(piece) == 2:
        piece = (piece[0], piece[0], piece[1], piece[1])
    points = []
    for i in range(count + 1):
        t = i / count
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        points.append(tuple(sum(w * p[k] for w, p in zip(weights, piece)) for k in (0, 1)))
    return points


def ways(scene: Scene) -> list[list[tuple[float, float]]]:
    return [
        [p for piece in segments(route, scene.rightward) for p in curve(piece)]
        for route in scene.routes
    ]


def crossings(scene: Scene) -> int:
    """How many pairs of edges cross, apart from those that share an end.

    They can do so between two layers only, and there each goes straight from one to the other.
    """
    along = 0 if scene.rightward else 1
    gaps: dict[Any, list[Any]] = {}
    for route in scene.routes:
        for piece in segments(route, scene.rightward):
            if len(piece) == 4:
                start, end = piece[0], piece[3]
                gaps.setdefault((round(start[along]), round(end[along])), []).append(
                    (start[1 - along], end[1 - along])
                )
    return sum(
        (a - c) * (b - d) < -1e-6
        for gap in gaps.values()
        for (a, b), (c, d) in itertools.combinations(gap, 2)
    )


def inside(x: float, y: float, shape: Shape, by: float) -> bool:
    return abs(x - shape.x) < shape.width / 2 - by and abs(y - shape.y) < shape.height / 2 - by


def check_readable(scene: Scene) -> None:
    for a, b in itertools.combinations([*scene.shapes, *scene.legend], 2):
        assert not overlap(a, b), (a.about, b.about)
    for shape in scene.shapes:
        assert shape.width / 2 <= shape.x <= scene.width - shape.width / 2
        assert shape.height / 2 <= shape.y <= scene.height - shape.height / 2
    for way in ways(scene):
        through = [
            shape.about for shape in scene.shapes if any(inside(x, y, shape, 1.0) for x, y in way)
        ]
        assert not through, through
        for end in (way[0], way[-1]):  # on the rim of something
            assert any(abs(x) <= s.width / 2 + 1e-6 and abs(y) <= s.height / 2 + 1e-6
                       for s in scene.shapes
                       for x, y in [(end[0] - s.x, end[1] - s.y)])  # fmt: skip


DRAWN = {
    "tutorial": lambda **options: draw_graph(tutorial()[-1], **options),
    "mlp": lambda **options: draw_graph(mlp(), **options),
    "lstm": lambda **options: draw_graph(lstm(), **options),
    "lstm by line": lambda **options: draw_graph(lstm(), fold="line", **options),
    "lstm in full": lambda **options: draw_graph(lstm(), fold=None, **options),
}


@pytest.mark.parametrize("direction", ["down", "right", None])
@pytest.mark.parametrize("name", DRAWN)
def test_pictures_are_readable(name: str, direction: str | None) -> None:
    scene = DRAWN[name](direction=direction)._scene
    check_readable(scene)
    assert crossings(scene) == 0
    if direction is None:
        assert scene.width < 10 * 72  # a page wide: readable at normal size


def test_texts_fit_their_shapes() -> None:
    """With matplotlib's measure of them, in its own font."""
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    assert matplotlib
    for name in ("mlp", "lstm", "lstm by line"):
        for shape in DRAWN[name]()._scene.shapes:
            corner = 0.0
            for label in shape.labels:
                font = FontProperties(size=label.size, weight="bold" if label.bold else "normal")
                box = TextPath((0, 0), label.text, prop=font).get_extents()
                assert box.width <= shape.width - 4, label.text
                away = abs(label.y - shape.y) + label.size / 2
                assert away <= shape.height / 2, label.text
                corner = max(corner, math.hypot(box.width / 2, away))
            if shape.kind == "circle":
                assert corner <= shape.width / 2 + 1.5, shape.about


def test_layers_and_long_edges() -> None:
    # 0 → 1 → 2 → 3, and 0 → 3 directly.
    edges = [(0, 1), (1, 2), (2, 3), (0, 3)]
    assert layers_of(4, edges) == [3, 2, 1, 0]
    found = layout([(40, 20)] * 4, edges, [1.0] * 4, [True] * 4)
    assert len({round(x, 6) for x, _ in found.routes[3][2:-2]}) == 1  # its bends lie straight
    for x, y in found.routes[3][1:-1]:
        assert all(abs(x - cx) >= 20 or abs(y - cy) >= 10 for cx, cy in found.centers)


def test_layout_untangles() -> None:
    # Two rows, connected in the opposite order.
    edges = [(0, 5), (1, 4), (2, 3), (3, 6), (4, 6), (5, 6)]
    found = layout([(20, 20)] * 7, edges, [1.0] * 6, [True] * 7)
    upper = sorted(range(3), key=lambda v: found.centers[v][0])
    lower = sorted(range(3, 6), key=lambda v: found.centers[v][0])
    assert [5 - v for v in upper] == lower


def test_deep_and_wide_graphs_are_drawn_in_time() -> None:
    x = devgrad.ones(2, requires_grad=True)
    y = x
    for _ in range(2000):
        y = y.sin()
    assert draw_graph(y, fold=None).text().count("\n") == 2000
    assert len(draw_graph(y)._trace.operators) == 1
    z = y.cos()
    for _ in range(5):
        z = z + sum(z * k for k in range(1, 4))
    check_readable(draw_graph(z)._scene)


# --- the forms ------------------------------------------------------------------------------------


@needs_positions
def test_svg_holds_everything_once() -> None:
    *_, z = tutorial()
    drawing = draw_graph(z)
    root = ElementTree.fromstring(drawing._repr_svg_())
    space = "{http://www.w3.org/2000/svg}"
    texts = [t.text for t in root.iter(f"{space}text")]
    for text in ("w", "b", "z", "Mul", "Add", "leaf", "non-leaf", "root", "operator"):
        assert texts.count(text) == 1, text
    about = [t.text or "" for t in root.iter(f"{space}title")]
    assert any(re.search(r"test_viz\.py:\d+: y = devgrad\.mul\(w, x\)", text) for text in about)
    assert drawing.svg() == drawing._repr_svg_()


def test_svg_escapes_the_users_text() -> None:
    x = devgrad.ones(2, requires_grad=True)
    y = x * 2 if 1 < 2 and "<&>" else x
    ElementTree.fromstring(draw_graph(y, {'<&">': x}).svg())


def test_dot_is_a_graph() -> None:
    *_, z = tutorial()
    text = draw_graph(z, direction="right").dot()
    assert text.startswith("digraph {\n  rankdir=LR;") and text.endswith("}")
    names = re.findall(r'^  (n\d+) \[shape=(ellipse|box), label="((?:[^"\\]|\\.)*)"', text, re.M)
    assert len(names) == len({n for n, _, _ in names})
    boxes = [label for _, shape, label in names if shape == "box"]
    assert boxes == ["Mul", "Add"]
    ends = re.findall(r"^  (n\d+) -> (n\d+);$", text, re.M)
    assert {n for pair in ends for n in pair} == {n for n, _, _ in names}
    assert len(ends) == len(names) - 1  # a tree


@needs_positions
def test_the_tree_for_terminals(capsys: pytest.CaptureFixture[str]) -> None:
    *_, z = tutorial()
    z.backward()
    print_graph(z)
    found = [line.split("  #")[0].rstrip() for line in capsys.readouterr().out.splitlines()]
    # In this scope, x and w and b are gone; their names are still in the line.
    assert found == [
        "z [1] = Add(y, b)  [root]",
        "├─ y [1] = Mul(w)",
        "│  w [1]  [leaf, |grad| 2]",
        "└─ b [1]  [leaf, |grad| 1]",
    ]


def test_the_tree_shows_shared_parts_once() -> None:
    x = devgrad.ones(2, requires_grad=True)
    shared = x.exp()
    out = shared.sin() * shared.cos()
    text = draw_graph(out).text()
    assert text == str(draw_graph(out))
    assert text.count("shared [2] = Exp(x)") == 1
    assert text.count("shared  (see above)") == 1


def test_names_are_told_apart_in_text_and_deep_graphs_are_listed() -> None:
    x = devgrad.ones(2, requires_grad=True)
    h = x
    for _ in range(3):
        h = h + h.sin() * x
    lines = draw_graph(h).text().splitlines()
    heads = [re.split(r"[ │├└─]*", line, maxsplit=1)[1].split(" ")[0] for line in lines]
    given = [head for head, line in zip(heads, lines) if " = " in line]
    assert len(given) == len(set(given)) == 9
    for _ in range(30):
        h = h + h.sin() * x
    lines = draw_graph(h, fold=None).text().splitlines()
    assert max(len(line) - len(line.lstrip(" │├└─")) for line in lines) <= 3
    assert sum(" = " in line for line in lines) == 3 * 33


def test_figures() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    drawing = draw_graph(mlp())
    figure = drawing.figure()
    try:
        width, height = figure.get_size_inches() * 72
        assert (width, height) == pytest.approx((drawing._scene.width, drawing._scene.height))
        texts = {t.get_text() for t in figure.axes[0].texts}
        assert {"Relu", "[32, 10]", "leaf"} <= texts
        if sys.version_info >= (3, 11):
            assert {"x", "w1", "b1", "h", "w2", "b2", "y", "loss"} <= texts
        other, axes = pyplot.subplots()
        assert drawing.figure(axes) is other
    finally:
        pyplot.close("all")


def test_files(tmp_path: Path) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    drawing = draw_graph(tutorial()[-1])
    for name, start in (
        ("a.svg", b"<svg"), ("a.dot", b"digraph"), ("a.txt", b"z [1]"), ("a.png", b"\x89PNG"),
        ("a.pdf", b"%PDF"),
    ):  # fmt: skip
        drawing.save(tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    assert pyplot.get_fignums() == []


def test_without_matplotlib_there_is_still_svg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    drawing = draw_graph(tutorial()[-1])
    assert drawing.svg().startswith("<svg")
    with pytest.raises(ImportError, match="pip install matplotlib"):
        drawing.figure()


def test_the_example_draws(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "examples" / "draw_graph.py"
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), "--out", str(tmp_path)],
        capture_output=True, text=True, encoding="utf-8", timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(devgrad.__file__).parents[1]),
             "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^picture: .*?(\w+)\.svg$", done.stdout, re.M)
    assert names == ["tutorial", "network", "lstm", "lstm_by_line"]
    for name in names:
        ElementTree.parse(tmp_path / f"{name}.svg")
    assert "kept alive, in 37 arrays, by a graph of 73 nodes" in done.stdout


# --- memory and live nodes ------------------------------------------------------------------------


def test_memory_counts_each_storage_once() -> None:
    x = devgrad.ones(100, requires_grad=True)
    a = x.exp()  # keeps its result
    b = a[:50] * a[50:]  # keeps two views of that
    c = b.sin()  # keeps b
    report = memory(c.sum())
    assert report.total == 400 + 200
    assert report.leaves == 0
    assert report.by_op() == {"Exp": 400, "Sin": 200}
    assert [line.partition("  ")[2] for line in report.by_line()] == [
        "a = x.exp()  # keeps its result", "c = b.sin()  # keeps b",
    ]  # fmt: skip
    assert sum(row.arrays for row in report.rows) == 2


def test_memory_of_a_view_is_its_base() -> None:
    big = devgrad.ones(1000, dtype=devgrad.float64)
    w = devgrad.ones(10, dtype=devgrad.float64, requires_grad=True)
    report = memory((w * big[::100]).sum())
    assert report.total == 8000
    report = memory((w * w).sum())
    assert (report.total, report.leaves) == (80, 80)


def test_memory_of_an_index_counts() -> None:
    x = devgrad.ones(100, requires_grad=True)
    index = devgrad.arange(50)
    report = memory(x[index].sum())
    assert report.total == 50 * 8


def test_memory_goes_with_the_backward_pass_and_with_checkpoints() -> None:
    x = devgrad.ones(100, requires_grad=True)
    y = x.exp().sin()
    assert memory(y).total > 0
    y.sum().backward()
    report = memory(y)
    assert report.total == 0 and report.rows == []
    assert str(report).startswith("0 bytes kept alive, in 0 arrays, by a graph of 2 nodes")
    assert memory(checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)).total == 0
    assert memory(devgrad.ones(2)).total == 0


def test_memory_as_a_table_and_a_chart() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    report = memory(lstm())
    text = str(report)
    assert len(text.splitlines()) == 2 + len(report.rows)
    assert "100.0%" not in text
    shares = [float(s) for s in re.findall(r"([\d.]+)%", text)]
    assert sum(shares) == pytest.approx(100, abs=0.1 * len(shares))
    assert "gates = x @ w + h @ u + bias" in text
    try:
        axes = report.figure().axes[0]
        assert len(axes.get_yticklabels()) == len(report.by_line())
        unit = 1024
        bars = sum(patch.get_width() for patch in axes.patches)
        assert bars * unit == pytest.approx(report.total)
        few = report.figure(most=2).axes[0]
        assert [t.get_text() for t in few.get_yticklabels()][1] == "other lines"
        assert sum(p.get_width() for p in few.patches) * unit == pytest.approx(report.total)
    finally:
        pyplot.close("all")


def test_live_nodes_find_a_leak() -> None:
    gc.collect()
    x = devgrad.ones(2, requires_grad=True)
    before = live_nodes().get("CosBackward0", 0)
    losses = []
    for _ in range(4):
        losses.append(x.cos().sum())  # the leak
    assert live_nodes()["CosBackward0"] == before + 4
    (line,) = [text for text in live_nodes(by="line") if "# the leak" in text]
    assert live_nodes(by="line")[line] == 8
    counts = list(live_nodes().values())
    assert counts == sorted(counts, reverse=True)
    losses.clear()
    assert live_nodes().get("CosBackward0", 0) == before
    with pytest.raises(ValueError, match="by must be"):
        live_nodes(by="shape")


# --- nodes ----------------------------------------------------------------------------------------


def test_what_a_node_has_saved() -> None:
    x = devgrad.tensor([1.0, 2.0], requires_grad=True)
    y = devgrad.tensor([3.0, 4.0], requires_grad=True)
    z = x * y
    assert z.grad_fn._saved_self.tolist() == [1.0, 2.0]
    assert z.grad_fn._saved_other.tolist() == [3.0, 4.0]
    assert z.grad_fn._saved_other.is_leaf and z.grad_fn._saved_other.requires_grad
    e = z.exp()
    assert e.grad_fn._saved_result.grad_fn is e.grad_fn
    assert tuple(z.sum().grad_fn._saved_self_sym_sizes) == (2,)
    assert "_saved_other" in dir(z.grad_fn)
    with pytest.raises(AttributeError, match="'MulBackward0' object has no attribute '_saved_out'"):
        z.grad_fn._saved_out  # noqa: B018
    assert not hasattr(z.grad_fn, "nothing")
    z.sum().backward()
    with pytest.raises(RuntimeError, match="after they have already been freed"):
        z.grad_fn._saved_self  # noqa: B018


@pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is missing")
def test_saved_names_are_pytorchs() -> None:
    def made(m: Any) -> list[Any]:
        x = m.ones(2, 3, requires_grad=True)
        y = m.ones(2, 3, requires_grad=True)
        return [x * y, x.exp(), x.sigmoid(), x.tanh(), x.sqrt(), x.log(), x.sin(), x.cos()]

    for ours, theirs in zip(made(devgrad), made(torch), strict=True):
        named = {n for n in dir(theirs.grad_fn) if n.startswith("_saved_")}
        tensors = {n for n in named if isinstance(getattr(theirs.grad_fn, n), torch.Tensor)}
        for name in tensors:
            assert hasattr(ours.grad_fn, name), (ours.grad_fn, name)
            expected = getattr(theirs.grad_fn, name).flatten().tolist()
            assert getattr(ours.grad_fn, name).flatten().tolist() == pytest.approx(expected)


def test_operators_are_described() -> None:
    x = devgrad.ones(2, requires_grad=True)
    (operator,) = draw_graph(x.exp())._trace.operators
    assert isinstance(operator, Operator)
    assert operator.place is not None
    assert operator.place.short.startswith("test_viz.py:")
    assert operator.place.function.endswith("test_operators_are_described")
