"""Learn a curve by gradient descent, with nothing but tensors and `backward()`.

We draw 100 noisy points from y = 3 x² + 2 and look for the two numbers w and b for which
w x² + b runs through them. Nobody derives a gradient by hand: every operation on a tensor that
requires grad is remembered, `loss.backward()` walks that memory backwards, and the derivatives
of the loss are then found in `w.grad` and `b.grad`.

    python examples/regression.py --device cpu --steps 800 --lr 0.001 --seed 100
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import devgrad as torch  # the names are PyTorch's: with `import torch` this file runs as well


def make_data(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return x and y, both of shape (100, 1): a parabola with a little noise on top."""
    x = torch.unsqueeze(torch.linspace(-1, 1, 100), dim=1)
    y = 3 * x.pow(2) + 2 + 0.2 * torch.rand(x.size())
    # Random numbers are drawn on the CPU and then moved, so that every device learns from the same.
    return x.to(device), y.to(device)


def learn(x: torch.Tensor, y: torch.Tensor, steps: int, lr: float) -> torch.Tensor:
    """Fit w and b; return w, b and the loss at every step: a (steps + 1, 3) table on the CPU."""
    # The leaves of the graph: made by us, not computed, and marked as what we want gradients for.
    w = torch.randn(1, 1).to(x.device).requires_grad_()
    b = torch.zeros(1, 1, device=x.device, requires_grad=True)
    rows = []

    for step in range(steps + 1):
        # Forward: each line adds nodes to a graph that starts at w and b and ends at the loss.
        y_pred = w * x.pow(2) + b
        loss = ((y - y_pred) ** 2).sum()

        # w and b are about to change in place, so the table keeps copies, cut off from the graph.
        rows.append(torch.stack([w.detach().reshape(()), b.detach().reshape(()), loss.detach()]))
        if step == steps:
            break

        # Backward: the chain rule from the root of the graph to its leaves.
        loss.backward()

        # One step downhill. The update itself must not become a part of the graph.
        with torch.no_grad():
            w -= lr * w.grad
            b -= lr * b.grad
            # Gradients add up over calls of backward(), so they go back to zero each time.
            w.grad.zero_()
            b.grad.zero_()

    return torch.stack(rows).cpu()


def draw(x: torch.Tensor, y: torch.Tensor, table: torch.Tensor, out: Path) -> None:
    """Save one figure: the data with the fitted curve, the loss, and the path of (w, b)."""
    from matplotlib.figure import Figure  # a bare Figure draws into a file: no display is needed

    x, y = x.cpu(), y.cpu()
    w, b, loss = table.unbind(1)
    blue, red = "#3b75af", "#c8382e"

    figure = Figure(figsize=(14, 4.6), layout="constrained")
    data, curve, path = figure.subplots(1, 3)

    data.scatter(x.numpy(), y.numpy(), s=18, color=blue, alpha=0.7, linewidths=0, label="data")
    for row, style, name in ((0, ":", "start"), (-1, "-", "learned")):
        label = f"{name}: {w[row].item():.4f} x² {b[row].item():+.4f}"
        fitted = w[row] * x.pow(2) + b[row]
        data.plot(x.numpy(), fitted.numpy(), style, color=red, linewidth=2, label=label)
    data.set(title="Data and fitted curve", xlabel="x", ylabel="y", xticks=[-1, -0.5, 0, 0.5, 1])
    data.margins(y=0.15)
    data.legend(frameon=False, loc="upper center")

    curve.plot(range(len(loss)), loss.numpy(), color=red, linewidth=2)
    curve.set(title=f"Loss: {loss[-1].item():.4f} at the end", yscale="log")
    curve.set(xlabel="step", ylabel="sum of squared errors")
    curve.margins(x=0.02)
    curve.grid(alpha=0.25)

    # The loss over a grid around the path: broadcasting (100, 1, 1) with (1, n) and (n, 1).
    left, right = w.min().item() - 0.5, w.max().item() + 0.5
    low, high = b.min().item() - 0.5, b.max().item() + 0.5
    ws = torch.linspace(left, right, 120).reshape(1, -1)
    bs = torch.linspace(low, high, 120).reshape(-1, 1)
    x_, y_ = x.reshape(-1, 1, 1), y.reshape(-1, 1, 1)
    height = ((y_ - ws * x_.pow(2) - bs) ** 2).sum(0).log10()
    shade = path.contourf(ws[0].numpy(), bs[:, 0].numpy(), height.numpy(), 18, cmap="Blues_r")
    figure.colorbar(shade, ax=path, label="log₁₀ of the loss", pad=0.02)
    path.plot(w.numpy(), b.numpy(), ".-", color=red, markersize=4, linewidth=1.2)
    path.plot(w[0].item(), b[0].item(), "o", ms=9, mfc="white", mec=red, mew=2, label="start")
    path.plot(w[-1].item(), b[-1].item(), "*", ms=16, mfc=red, mec="white", label="end")
    path.set(title="Path of (w, b) over the loss", xlabel="w", ylabel="b")
    path.legend(loc="lower right")

    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    print(f"picture: {out.resolve()}")


def main() -> int:
    """Read the command line, learn, report; return the exit status."""
    parser = argparse.ArgumentParser(description="Learn y = w x² + b by gradient descent.")
    parser.add_argument("--device", default="cpu", help="cpu (default) or cuda")
    parser.add_argument("--steps", type=int, default=800, help="how many steps downhill (800)")
    parser.add_argument("--lr", type=float, default=0.001, help="the learning rate (0.001)")
    parser.add_argument("--seed", type=int, default=100, help="seed of the random numbers (100)")
    parser.add_argument("--out", type=Path, default=Path("regression.png"), help="the picture")
    args = parser.parse_args()
    if args.steps < 1:
        parser.error("--steps must be at least 1")

    torch.manual_seed(args.seed)
    x, y = make_data(args.device)
    table = learn(x, y, args.steps, args.lr)

    print(f"device:  {x.device}")  # where it ran: without a GPU, "cuda" falls back to the CPU
    for name, row in (("start", table[0]), ("final", table[-1])):
        w, b, loss = row.tolist()
        print(f"{name}:   w = {w:.4f}   b = {b:.4f}   loss = {loss:.4f}")
    if not all(map(math.isfinite, table[-1].tolist())):
        print("The steps were too long and ran away from the minimum: try a smaller --lr.")
        return 1

    try:
        draw(x, y, table, args.out)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        print('picture: none, as matplotlib is missing: python -m pip install -e ".[plot]"')
    return 0


if __name__ == "__main__":
    sys.exit(main())
