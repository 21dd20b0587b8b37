"""Read handwritten digits: 1,797 pictures of 8 by 8 pixels, by an MLP or by a CNN.

This is training as it is usually done: modules, a loader that shuffles, an optimizer, a schedule
for its rate, `train()` and `eval()`, and a checkpoint at the end that is loaded again.

    python examples/digits.py --model cnn --device cpu
"""

from __future__ import annotations

import sys
from typing import Any

from common import BLUE, RED, Progress, figure, options, save
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import devgrad as torch
from devgrad import nn
from devgrad.nn import functional as F
from devgrad.utils.data import DataLoader, TensorDataset


def mlp() -> nn.Module:
    """Two hidden layers that see 64 numbers and nothing of their places."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 512), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(512, 256), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(256, 10),
    )  # fmt: skip


def cnn() -> nn.Module:
    """Two convolutions, so that a stroke is the same stroke wherever it is."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def pixels_and_labels(seed: int) -> tuple[TensorDataset, TensorDataset]:
    """Training and test data: pictures of shape (1, 8, 8) between 0 and 1, and digits."""
    data = load_digits()
    images = (data.images / 16.0).astype("float32")[:, None]
    parts = train_test_split(
        images, data.target, test_size=360, random_state=seed, stratify=data.target
    )
    train_x, test_x, train_y, test_y = map(torch.from_numpy, parts)
    return TensorDataset(train_x, train_y), TensorDataset(test_x, test_y)


def shifted(images: Any) -> Any:
    """The pictures, moved by up to one pixel: what a digit is does not depend on that."""
    right, down = torch.randint(0, 3, (2,)).tolist()
    return F.pad(images, (1, 1, 1, 1))[:, :, down : down + 8, right : right + 8]


def answers(model: nn.Module, data: TensorDataset, device: str) -> Any:
    """What the model takes the test pictures for."""
    model.eval()
    with torch.no_grad():
        return model(data.tensors[0].to(device)).argmax(1).cpu()


def draw(losses: list[float], data: TensorDataset, found: Any, accuracy: float, out: Any) -> None:
    """The loss; and test pictures with the answers, the wrong ones first."""
    picture = figure(12, 4.4)
    if picture is None:
        return
    left, right = picture.subfigures(1, 2, width_ratios=[1, 1.5])
    axes = left.subplots()
    axes.plot(losses, color=BLUE, linewidth=0.8)
    axes.set(title="Training loss", xlabel="step", yscale="log")
    axes.grid(alpha=0.25)
    images, labels = data.tensors
    right.suptitle(f"Test pictures: {accuracy:.2%} are right; wrong answers in red")
    order = (found == labels).int().argsort(stable=True).tolist()
    for panel, i in zip(right.subplots(3, 9).flat, order):
        panel.imshow(images[i, 0].numpy(), cmap="gray_r")
        wrong = found[i] != labels[i]
        text = f"{found[i].item()}, not {labels[i].item()}" if wrong else f"{found[i].item()}"
        panel.set_title(text, color=RED if wrong else "black", fontsize=9)
        panel.set_axis_off()
    save(picture, out)


def main() -> int:
    """Train, test, draw."""
    parser = options("Read handwritten digits.", 3000, "digits.png")
    parser.add_argument("--model", choices=("mlp", "cnn"), default="cnn")
    parser.add_argument("--checkpoint", default="digits.safetensors", help="where weights go")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train, test = pixels_and_labels(args.seed)
    model = {"mlp": mlp, "cnn": cnn}[args.model]().to(args.device)
    loader = DataLoader(train, batch_size=64, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    print(f"device:   {next(model.parameters()).device}")

    losses, batches = [], iter(loader)
    for _ in (progress := Progress(args.steps)):
        batch = next(batches, None)
        if batch is None:  # all have been seen: shuffle anew
            batches = iter(loader)
            batch = next(batches)
        images, labels = (part.to(args.device) for part in batch)

        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(shifted(images)), labels)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress.show(loss=losses[-1])

    torch.save(model.state_dict(), args.checkpoint)
    model.load_state_dict(torch.load(args.checkpoint))
    found = answers(model, test, args.device)
    accuracy = (found == test.tensors[1]).float().mean().item()
    print(f"loss:     {losses[0]:.4f} at first, {losses[-1]:.4f} at last")
    print(f"accuracy: {accuracy:.2%} of {len(test)} test pictures")
    draw(losses, test, found, accuracy, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
