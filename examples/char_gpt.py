"""A small GPT that writes sonnets, letter by letter.

The model sees 64 characters of eleven of Shakespeare's sonnets (data/sonnets.txt) and learns which
comes next. Attention lets each place look at all places before it. At the end it goes on writing.

    python examples/char_gpt.py --device cpu
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from common import BLUE, RED, Progress, figure, options, save

import devgrad as torch
from devgrad import nn
from devgrad.nn import functional as F

TEXT = Path(__file__).parent / "data" / "sonnets.txt"
CONTEXT = 64


class Block(nn.Module):
    """Attention, then a network for each place; both add to what is there."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.mix = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Any) -> Any:
        """From (batch, places, width) to the same."""
        n, t, width = x.shape
        parts = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, width // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.dropout(self.mix(seen.transpose(1, 2).reshape(n, t, width)))
        return x + self.dropout(self.feed(self.norm2(x)))


class GPT(nn.Module):
    """Says for each place how likely each character is to come next."""

    def __init__(self, characters: int, width: int = 96, depth: int = 3, heads: int = 4) -> None:
        super().__init__()
        self.characters = nn.Embedding(characters, width)
        self.places = nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*[Block(width, heads, 0.1) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, characters)

    def forward(self, text: Any) -> Any:
        """From (batch, places) to (batch, places, characters)."""
        places = torch.arange(text.shape[1], device=text.device)
        return self.head(self.norm(self.blocks(self.characters(text) + self.places(places))))


def batch_of(text: Any, size: int) -> tuple[Any, Any]:
    """Pieces of the text from random places, and the same one character later."""
    starts = torch.randint(0, len(text) - CONTEXT - 1, (size,))
    pieces = text[starts[:, None] + torch.arange(CONTEXT + 1)]
    return pieces[:, :-1], pieces[:, 1:]


def write(model: GPT, start: Any, count: int, temperature: float = 0.7) -> Any:
    """Go on writing after ``start``: draw each character as likely as the model has it."""
    model.eval()
    text = start
    with torch.no_grad():
        for _ in range(count):
            logits = model(text[None, -CONTEXT:])[0, -1]
            likely = F.softmax(logits.cpu() / temperature, dim=0)
            text = torch.cat([text, torch.multinomial(likely, 1).to(text.device)])
    return text


def draw(losses: list[float], start: float, sample: str, out: Any) -> None:
    """The loss, and what was written."""
    picture = figure(11, 4.4)
    if picture is None:
        return
    left, right = picture.subplots(1, 2, width_ratios=[1.3, 1])
    left.plot(losses, color=BLUE, linewidth=0.8)
    left.axhline(start, color=RED, linestyle=":", label="all characters equally likely")
    left.set(title="Loss of the next character", xlabel="step", ylabel="nats")
    left.legend()
    left.grid(alpha=0.25)
    right.text(0, 1, sample.strip(), va="top", family="serif", fontsize=9)
    right.set_title("Written by the model")
    right.set_axis_off()
    save(picture, out)


def main() -> int:
    """Learn to write, and write."""
    parser = options("A small GPT that writes sonnets.", 1500, "char_gpt.png")
    parser.add_argument("--length", type=int, default=500, help="characters to write (500)")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    letters = TEXT.read_text(encoding="utf-8")
    alphabet = sorted(set(letters))
    text = torch.tensor([alphabet.index(c) for c in letters])

    model = GPT(len(alphabet)).to(args.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=args.steps + 1)
    losses = []
    for _ in (progress := Progress(args.steps)):
        x, y = (part.to(args.device) for part in batch_of(text, 16))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        progress.show(loss=losses[-1])

    start = text[: letters.index("\n") + 1].to(args.device)
    sample = "".join([alphabet[i] for i in write(model, start, args.length).tolist()])
    print(f"device:     {next(model.parameters()).device}")
    print(f"parameters: {sum(p.numel() for p in model.parameters())}")
    print(f"loss:       {losses[0]:.4f} at first, {losses[-1]:.4f} at last")
    print(sample)
    draw(losses, math.log(len(alphabet)), sample, args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
