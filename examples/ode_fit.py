"""Fit a differential equation to data: hares and lynxes at Hudson Bay, 1900 to 1920.

Lotka and Volterra's equations say how prey x and predators y make each other come and go:
x' = a x - b x y,  y' = c x y - d y. We solve them by Runge and Kutta's steps, which are nothing but
operations on tensors, so `backward()` goes through the solver to a, b, c, d and the start.

    python examples/ode_fit.py --device cpu
"""

from __future__ import annotations

import sys
from typing import Any

from common import BLUE, RED, Progress, figure, options, save

import devgrad as torch

# Pelts in thousands, by the Hudson's Bay Company's books (Elton and Nicholson, 1942).
HARES = [30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1, 40.3, 57.0, 76.6, 52.3,
         19.5, 11.2, 7.6, 14.6, 16.2, 24.7]  # fmt: skip
LYNXES = [4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4, 8.0, 12.3, 19.5, 45.7, 51.1,
          29.7, 15.8, 9.7, 10.1, 8.6]  # fmt: skip


def slope(state: Any, rates: Any) -> Any:
    """The right side of the equations."""
    x, y = state.unbind()
    a, b, c, d = rates.unbind()
    return torch.stack([a * x - b * x * y, c * x * y - d * y])


def solve(start: Any, rates: Any, years: int, per_year: int = 5) -> Any:
    """The state at each small step: Runge and Kutta's method of the fourth order."""
    h = 1 / per_year
    states = [start]
    for _ in range(years * per_year):
        s = states[-1]
        k1 = slope(s, rates)
        k2 = slope(s + h / 2 * k1, rates)
        k3 = slope(s + h / 2 * k2, rates)
        k4 = slope(s + h * k3, rates)
        states.append(s + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return torch.stack(states)


def draw(data: Any, first: Any, last: Any, losses: list[float], out: Any) -> None:
    """The years with the fit, the loss, and prey against predators."""
    picture = figure(14, 4.2)
    if picture is None:
        return
    left, middle, right = picture.subplots(1, 3, width_ratios=[2, 1, 1])
    years = [1900 + i / 5 for i in range(len(last))]
    for column, name, color in ((0, "hares", BLUE), (1, "lynxes", RED)):
        left.plot(range(1900, 1921), data[:, column].numpy(), "o", color=color, label=name)
        left.plot(years, last[:, column].numpy(), color=color)
        left.plot(years, first[:, column].numpy(), ":", color=color, alpha=0.6)
    left.set(title="Data, fit (solid) and first guess (dotted)", ylabel="thousands of pelts")
    left.set(xticks=range(1900, 1921, 5))
    left.legend()
    middle.plot(losses, color=RED)
    middle.set(title=f"Loss: {losses[-1]:.3f} at last", xlabel="step", yscale="log")
    middle.grid(alpha=0.25)
    right.plot(data[:, 0].numpy(), data[:, 1].numpy(), "o", color=BLUE)
    right.plot(last[:, 0].numpy(), last[:, 1].numpy(), color=RED)
    right.set(title="Hares against lynxes", xlabel="hares", ylabel="lynxes")
    save(picture, out)


def main() -> int:
    """Fit, report, draw."""
    parser = options("Fit Lotka and Volterra's equations.", 100, "ode_fit.png")
    args = parser.parse_args()

    data = torch.tensor([HARES, LYNXES], dtype=torch.float64).T.to(args.device)
    # What is positive is learned by its logarithm.
    guess = torch.tensor([0.6, 0.03, 0.03, 0.8, *data[0].tolist()], dtype=torch.float64)
    log_p = guess.log().to(args.device).requires_grad_()
    optimizer = torch.optim.Adam([log_p], lr=0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)

    def trajectory() -> Any:
        p = log_p.exp()
        return solve(p[4:], p[:4], years=20)

    with torch.no_grad():
        first = trajectory()
    losses = []
    for _ in (progress := Progress(args.steps)):
        optimizer.zero_grad()
        # Numbers of animals are off by a factor, not by a sum: compare logarithms.
        loss = ((trajectory()[::5].log() - data.log()) ** 2).mean()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress.show(loss=losses[-1])

    with torch.no_grad():
        last = trajectory()
    print(f"device: {log_p.device}")
    print(f"loss:   {losses[0]:.4f} at first, {losses[-1]:.4f} at last")
    for name, value in zip(("a", "b", "c", "d", "hares in 1900", "lynxes"), log_p.exp().tolist()):
        print(f"        {name} = {value:.4f}")
    draw(data.cpu(), first.cpu(), last.cpu(), losses, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
