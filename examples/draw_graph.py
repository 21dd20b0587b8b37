"""Look at graphs: the tutorial's, a small network's, and an LSTM's over five steps.

    python examples/draw_graph.py                    # pictures into the current folder, as SVG
    python examples/draw_graph.py --out docs/pictures --format png   # needs matplotlib

Circles are variables, boxes are operators; after `backward()`, each leaf shows the norm of its
gradient. What the LSTM's graph keeps alive until then is printed as a table.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import devgrad as torch
from devgrad.viz import Drawing, draw_graph, memory, print_graph


def tutorial() -> Drawing:
    """z = w * x + b."""
    x = torch.Tensor([2])
    w = torch.tensor([0.5], requires_grad=True)
    b = torch.tensor([1.0], requires_grad=True)

    y = torch.mul(w, x)
    z = torch.add(y, b)

    z.backward()
    print_graph(z)
    return draw_graph(z)


def network() -> Drawing:
    """Two layers, and a loss."""
    x, target = torch.rand(32, 10), torch.rand(32, 1)
    W1 = torch.randn(10, 16, requires_grad=True)
    b1 = torch.zeros(16, requires_grad=True)
    W2 = torch.randn(16, 1, requires_grad=True)
    b2 = torch.zeros(1, requires_grad=True)

    h = torch.relu(x @ W1 + b1)
    y = h @ W2 + b2
    loss = ((y - target) ** 2).mean()

    loss.backward()
    return draw_graph(loss)


class LSTM:
    """A recurrent network, written by hand."""

    def __init__(self, size: int, hidden: int) -> None:
        self.hidden = hidden
        self.W = torch.randn(size, 4 * hidden, requires_grad=True)
        self.U = torch.randn(hidden, 4 * hidden, requires_grad=True)
        self.b = torch.zeros(4 * hidden, requires_grad=True)

    def named_parameters(self) -> list[tuple[str, Any]]:
        """The parameters with their names, as a module gives them."""
        return [("W", self.W), ("U", self.U), ("b", self.b)]

    def step(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        """The next state."""
        gates = x @ self.W + h @ self.U + self.b
        i, f, g, o = gates.chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c

    def __call__(self, x: Any) -> Any:
        """The last hidden state for a sequence."""
        h = c = torch.zeros(x.shape[1], self.hidden)
        for t in range(len(x)):
            h, c = self.step(x[t], h, c)
        return h


def main() -> None:
    """Draw them all."""
    parser = argparse.ArgumentParser(description="Draw three graphs.")
    parser.add_argument("--out", type=Path, default=Path(), help="the folder for the pictures")
    parser.add_argument("--format", default="svg", help="svg, png, pdf, …")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)

    drawings = {"tutorial": tutorial(), "network": network()}

    model = LSTM(3, 6)
    x, target = torch.rand(5, 4, 3), torch.rand(4, 6)
    loss = ((model(x) - target) ** 2).mean()
    report = memory(loss)  # a backward pass gives it back
    print(f"\n{report}")
    loss.backward()
    drawings["lstm"] = draw_graph(loss, model)  # folded: a box for each call of `step`
    drawings["lstm_by_line"] = draw_graph(loss, model, fold="line")

    for name, drawing in drawings.items():
        path = options.out / f"{name}.{options.format}"
        drawing.save(path)
        print(f"picture: {path}")
    if options.format != "svg":
        path = options.out / f"memory.{options.format}"
        report.figure().savefig(path, dpi=150)
        print(f"picture: {path}")


if __name__ == "__main__":
    main()
