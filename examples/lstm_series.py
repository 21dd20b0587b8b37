"""Forecast a time series with an LSTM: how many people fly in the next two years?

The data are the 144 months of Box and Jenkins' airline passengers, 1949 to 1960. The network reads
ten years month by month, always saying what comes next, and then goes on alone from what it said.

    python examples/lstm_series.py --device cpu
"""

from __future__ import annotations

import math
import sys
from typing import Any

from common import BLUE, GREY, RED, Progress, figure, options, save

import devgrad as torch
from devgrad import nn

# Thousands of international passengers, a year in each line (Box, Jenkins: Time Series Analysis).
PASSENGERS = """
    112 118 132 129 121 135 148 148 136 119 104 118   115 126 141 135 125 149 170 170 158 133 114 140
    145 150 178 163 172 178 199 199 184 162 146 166   171 180 193 181 183 218 230 242 209 191 172 194
    196 196 236 235 229 243 264 272 237 211 180 201   204 188 235 227 234 264 302 293 259 229 203 229
    242 233 267 269 270 315 364 347 312 274 237 278   284 277 317 313 318 374 413 405 355 306 271 306
    315 301 356 348 355 422 465 467 404 347 305 336   340 318 362 348 363 435 491 505 404 359 310 337
    360 342 406 396 420 472 548 559 463 407 362 405   417 391 419 461 472 535 622 606 508 461 390 432
"""  # noqa: E501
KNOWN, WHOLE = 120, 144  # months


class Forecaster(nn.Module):
    """Reads the change of each month and the season, and says the next month's change."""

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x: Any, state: Any = None) -> tuple[Any, Any]:
        """From (batch, months, 3) to (batch, months, 1), and the state to go on from."""
        h, state = self.lstm(x, state)
        return self.head(h), state


def inputs(changes: Any, first_month: int) -> Any:
    """Each month's change, with the time of the year as a point on a circle."""
    months = torch.arange(first_month, first_month + len(changes)) * (2 * math.pi / 12)
    return torch.stack([changes, months.sin(), months.cos()], dim=1)[None]


def forecast(model: Forecaster, changes: Any, months: int, device: str) -> Any:
    """Read what is known, then feed the model with what it says."""
    model.eval()
    said = []
    with torch.no_grad():
        y, state = model(inputs(changes, 1).to(device))
        for i in range(months):
            said.append(y[0, -1].cpu())
            y, state = model(inputs(said[-1], len(changes) + 1 + i).to(device), state)
    return torch.cat(said)


def draw(series: Any, fitted: Any, ahead: Any, losses: list[float], out: Any) -> None:
    """The series with what the model said, and the loss."""
    picture = figure(13, 4.4)
    if picture is None:
        return
    left, right = picture.subplots(1, 2, width_ratios=[2.4, 1])
    years = [1949 + i / 12 for i in range(WHOLE)]
    left.plot(years, series.numpy(), color=GREY, linewidth=3, alpha=0.6, label="passengers")
    left.plot(years[2:KNOWN], fitted.numpy(), color=BLUE, label="said one month before")
    left.plot(years[KNOWN:], ahead.numpy(), "o-", color=RED, ms=3, label="said two years before")
    left.axvline(years[KNOWN], color=GREY, linestyle=":")
    left.set(title="Airline passengers", ylabel="thousands in a month")
    left.legend()
    right.plot(losses, color=BLUE)
    right.set(title="Training loss", xlabel="step", yscale="log")
    right.grid(alpha=0.25)
    save(picture, out)


def main() -> int:
    """Learn, forecast, draw."""
    parser = options("Forecast airline passengers with an LSTM.", 400, "lstm_series.png")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    series = torch.tensor([float(word) for word in PASSENGERS.split()])
    # What is learned is by which factor passengers change: that has no trend.
    growth = series.log().diff()
    mean, std = growth[: KNOWN - 1].mean(), growth[: KNOWN - 1].std()
    changes = (growth - mean) / std
    known = changes[: KNOWN - 1]
    x, y = inputs(known[:-1], 1).to(args.device), known[1:, None][None].to(args.device)

    model = Forecaster().to(args.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    losses = []
    for _ in (progress := Progress(args.steps)):
        optimizer.zero_grad()
        said, _ = model(
            x + 0.1 * torch.randn(x.shape).to(x.device)
        )  # noise against learning by heart
        loss = nn.functional.mse_loss(said, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        progress.show(loss=losses[-1])

    with torch.no_grad():
        step_by_step = model(x)[0][0, :, 0].cpu()
    fitted = series[1 : KNOWN - 1] * (step_by_step * std + mean).exp()
    steps = forecast(model, known, WHOLE - KNOWN, args.device) * std + mean
    ahead = series[KNOWN - 1] * steps.cumsum(0).exp()
    truth = series[KNOWN:]
    error = ((ahead - truth).abs() / truth).mean().item()
    last_year = ((series[KNOWN - 12 : KNOWN].repeat(2) - truth).abs() / truth).mean().item()
    print(f"device:   {next(model.parameters()).device}")
    print(f"loss:     {losses[0]:.4f} at first, {losses[-1]:.4f} at last")
    print(f"forecast: off by {error:.1%} on average; 'as in the last year' by {last_year:.1%}")
    draw(series, fitted, ahead, losses, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
