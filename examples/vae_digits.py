"""A variational autoencoder invents digits: 64 pixels through two numbers and back.

The encoder says where in a plane a picture lies, and how sure it is; the decoder draws a picture
from a point. What is drawn at random points is new. The random point is mean + deviation * noise,
so that gradients reach the encoder through it.

    python examples/vae_digits.py --device cpu
"""

from __future__ import annotations

import sys
from typing import Any

from common import BLUE, Progress, figure, options, save
from sklearn.datasets import load_digits

import devgrad as torch
from devgrad import nn
from devgrad.nn import functional as F


class VAE(nn.Module):
    """An encoder to a plane and a decoder from it."""

    def __init__(self, hidden: int = 256, plane: int = 2) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(64, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU()
        )
        self.mean = nn.Linear(hidden, plane)
        self.log_variance = nn.Linear(hidden, plane)
        self.decoder = nn.Sequential(
            nn.Linear(plane, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, 64),
        )  # fmt: skip

    def forward(self, x: Any) -> tuple[Any, Any, Any]:
        """The logits of the pixels drawn again, and where in the plane they came from."""
        h = self.encoder(x)
        mean, log_variance = self.mean(h), self.log_variance(h)
        noise = torch.randn(mean.shape).to(mean.device)
        return self.decoder(mean + (0.5 * log_variance).exp() * noise), mean, log_variance


def loss_of(model: VAE, x: Any) -> Any:
    """How badly pixels are drawn, and how far the points are from a normal distribution."""
    logits, mean, log_variance = model(x)
    drawn = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    spread = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1)
    return (drawn + spread).mean()


def tiles(images: Any, columns: int) -> Any:
    """One picture of many pictures, with a gap between them."""
    framed = F.pad(images.reshape(-1, columns, 8, 8), (1, 1, 1, 1))
    rows = len(framed)
    return framed.permute(0, 2, 1, 3).reshape(rows * 10, columns * 10).numpy()


def draw(model: VAE, x: Any, labels: Any, losses: list[float], device: str, out: Any) -> None:
    """The loss, the plane, digits and how they are drawn again, and digits from all over it."""
    picture = figure(15, 4.4)
    if picture is None:
        return
    curve, plane, again, new = picture.subplots(1, 4, width_ratios=[1, 1.2, 0.9, 1])
    curve.plot(losses, color=BLUE, linewidth=0.6)
    curve.set(title=f"Loss: {losses[-1]:.1f} at last", xlabel="step", ylabel="nats")
    curve.grid(alpha=0.25)

    model.eval()
    with torch.no_grad():
        _, mean, _ = model(x.to(device))
        few = torch.stack([x[labels == digit][0] for digit in range(10)])
        redrawn = model.decoder(model.mean(model.encoder(few.to(device)))).sigmoid().cpu()
        # Points that are evenly spread under the normal distribution.
        steps = torch.special.ndtri(torch.linspace(0.03, 0.97, 12))
        points = torch.cartesian_prod(-steps, steps).flip(1).to(device)
        drawn = model.decoder(points).sigmoid().cpu()
    mean = mean.cpu().numpy()
    dots = plane.scatter(mean[:, 0], mean[:, 1], c=labels.numpy(), cmap="tab10", s=5,
                         vmin=-0.5, vmax=9.5)  # fmt: skip
    picture.colorbar(dots, ax=plane, ticks=range(10))
    plane.set(title="Where the encoder puts the digits", xlim=(-4, 4), ylim=(-4, 4))

    again.imshow(tiles(torch.stack([few, redrawn], dim=1), 4), cmap="gray_r")
    again.set_title("Digits, each drawn again beside it")
    new.imshow(tiles(drawn, 12), cmap="gray_r")
    new.set_title("Drawn from all over the plane")
    for axes in (again, new):
        axes.set_axis_off()
    save(picture, out)


def main() -> int:
    """Learn to draw, and draw."""
    parser = options("A variational autoencoder on digits.", 3000, "vae_digits.png")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    data = load_digits()
    x = torch.from_numpy((data.data / 16.0).astype("float32"))
    labels = torch.from_numpy(data.target)
    model = VAE().to(args.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)

    losses = []
    for _ in (progress := Progress(args.steps)):
        batch = x[torch.randint(0, len(x), (128,))].to(args.device)
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress.show(loss=losses[-1])

    print(f"device: {next(model.parameters()).device}")
    print(f"loss:   {losses[0]:.2f} at first, {losses[-1]:.2f} at last (in nats for a picture)")
    draw(model, x, labels, losses, args.device, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
