"""Newton's method with derivatives by autograd: which tumours are malignant?

Logistic regression on 569 tumours with 30 measurements each (scikit-learn's breast cancer data).
Gradient descent knows only where it goes down; Newton's method also asks the Hessian how the slope
changes, and is done in a few steps. Nobody derives either by hand.

    python examples/newton_logistic.py --device cpu
"""

from __future__ import annotations

import sys
from typing import Any

from common import BLUE, GREY, RED, Progress, figure, options, save
from sklearn.datasets import load_breast_cancer

import devgrad as torch
from devgrad.nn import functional as F


def measurements(device: str) -> tuple[Any, Any]:
    """Standardised measurements with a column of ones, and 1 for malignant."""
    data = load_breast_cancer()
    x = torch.from_numpy(data.data)  # float64: Newton's last digits are worth it
    x = (x - x.mean(0)) / x.std(0)
    x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    return x.to(device), torch.from_numpy(1.0 - data.target).to(device)


def learn_by_newton(loss: Any, size: int, steps: int, device: str) -> tuple[Any, list[float]]:
    """Solve H Δw = g in each step, and go back by Δw."""
    w = torch.zeros(size, dtype=torch.float64, device=device)
    losses = [loss(w).item()]
    for _ in (progress := Progress(steps)):
        gradient = torch.func.grad(loss)(w)
        hessian = torch.autograd.functional.hessian(loss, w)
        w = w - torch.linalg.solve(hessian, gradient)
        losses.append(loss(w).item())
        progress.show(loss=losses[-1])
    return w, losses


def learn_by_descent(loss: Any, size: int, steps: int, device: str) -> list[float]:
    """Go down along the gradient, with a step that is near the largest that does not run away."""
    w = torch.zeros(size, dtype=torch.float64, device=device, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)
    losses = []
    for _ in (progress := Progress(steps)):
        optimizer.zero_grad()
        value = loss(w)
        value.backward()
        optimizer.step()
        losses.append(value.item())
        progress.show(loss=losses[-1])
    return losses


def draw(newton: list[float], descent: list[float], p: Any, y: Any, out: Any) -> None:
    """How far both are from the minimum; and how sure the model is."""
    picture = figure(11, 4.2)
    if picture is None:
        return
    left, right = picture.subplots(1, 2)
    best = min(newton)
    left.plot([max(n - best, 1e-16) for n in descent], color=GREY, label="gradient descent")
    left.plot([max(n - best, 1e-16) for n in newton], "o-", color=RED, label="Newton")
    left.set(title="Loss above its minimum", xlabel="step", xscale="symlog", yscale="log")
    left.legend()
    left.grid(alpha=0.25)
    bins = [i / 25 for i in range(26)]
    for label, name, color in ((0, "benign", BLUE), (1, "malignant", RED)):
        right.hist(p[y == label].cpu().numpy(), bins, color=color, alpha=0.6, label=name)
    right.set(title="Probability that it is malignant", xlabel="p", ylabel="tumours", yscale="log")
    right.legend()
    save(picture, out)


def main() -> int:
    """Learn in both ways, compare, draw."""
    parser = options("Logistic regression by Newton's method.", 10, "newton_logistic.png")
    args = parser.parse_args()

    x, y = measurements(args.device)

    def loss(w: Any) -> Any:
        """The mean logistic loss, and a little weight decay that keeps the minimum finite."""
        return F.binary_cross_entropy_with_logits(x @ w, y) + 1e-3 * (w @ w)

    w, newton = learn_by_newton(loss, x.shape[1], args.steps, args.device)
    descent = learn_by_descent(loss, x.shape[1], 100 * args.steps, args.device)
    p = torch.sigmoid(x @ w)
    slope = torch.func.grad(loss)(w).norm().item()
    right = ((p > 0.5) == (y > 0.5)).double().mean().item()
    print(f"device:   {x.device}")
    print(f"Newton:   loss {newton[-1]:.12f} after {args.steps} steps, slope {slope:.1e}")
    print(f"descent:  loss {descent[-1]:.12f} after {len(descent)} steps")
    print(f"accuracy: {right:.2%} of {len(y)} tumours")
    draw(newton, descent, p, y, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
