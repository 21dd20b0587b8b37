"""Whole training runs from a seed: the same losses, batch by batch, and the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from agreement import assert_agrees, torch

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "SGD": lambda optim, p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3),
    "Adam": lambda optim, p: optim.Adam(p, lr=3e-3),
    "AdamW": lambda optim, p: optim.AdamW(p, lr=3e-3),
    "RMSprop": lambda optim, p: optim.RMSprop(p, lr=1e-3, momentum=0.5),
    "NAdam": lambda optim, p: optim.NAdam(p, lr=3e-3),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_classifier(name: str, dtype: str, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")

    def program(lib: Any) -> Any:
        nn = lib.nn
        lib.manual_seed(2024)
        kind = getattr(lib, dtype)
        x = lib.randn(200, 6, dtype=kind)
        y = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] > 1).long()
        train, test = lib.utils.data.random_split(lib.utils.data.TensorDataset(x, y), [0.8, 0.2])
        model = nn.Sequential(
            nn.Linear(6, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 16), nn.GELU(),
            nn.Linear(16, 3),
        ).to(kind)  # fmt: skip
        optimizer = OPTIMIZERS[name](lib.optim, model.parameters())
        scheduler = lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
        loader = lib.utils.data.DataLoader(train, batch_size=16, shuffle=True)
        criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
        losses = []
        for _ in range(10):
            model.train()
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss = criterion(model(inputs), targets)
                loss.backward()
                norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                losses.append((loss.item(), norm.item()))
            scheduler.step()
        model.eval()
        with lib.no_grad():
            inputs, targets = next(iter(lib.utils.data.DataLoader(test, batch_size=40)))
            right = (model(inputs).argmax(1) == targets).sum().item()
        assert len(losses) == 100 and losses[-1][0] < losses[0][0]
        return losses, dict(model.state_dict()), right, scheduler.get_last_lr()

    assert_agrees(program, rtol=1e-4 if dtype == "float32" else 1e-9)
