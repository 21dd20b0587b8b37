"""Models trained by devgrad and by PyTorch from the same seed learn the same, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from agreement import torch
from placement import numpy_of, placed

import devgrad

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")

STEPS = 100


def mlp(nn: Any) -> Any:
    return nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.Tanh(),
                         nn.Linear(16, 4))  # fmt: skip


def cnn(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
        nn.Linear(32, 4),
    )  # fmt: skip


def lstm(nn: Any) -> Any:
    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.LSTM(5, 12, num_layers=2, batch_first=True)
            self.last = nn.Linear(12, 4)

        def forward(self, x: Any) -> Any:
            out, _ = self.layers(x)
            return self.last(out[:, -1])

    return Model()


def transformer(nn: Any) -> Any:
    class Model(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(11, 16)
            self.places = nn.Parameter(self.words.weight.detach()[:6] * 0.1)
            layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
            self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
            self.last = nn.Linear(16, 4)

        def forward(self, x: Any) -> Any:
            return self.last(self.layers(self.words(x) + self.places).mean(1))

    return Model()


MODELS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "MLP": (mlp, (24, 10)), "CNN": (cnn, (12, 1, 8, 8)), "LSTM": (lstm, (12, 7, 5)),
    "Transformer": (transformer, (12, 6)),
}  # fmt: skip

OPTIMIZERS: dict[str, Any] = {
    "SGD with momentum": lambda lib, p: lib.optim.SGD(p, lr=0.05, momentum=0.9),
    "Adam": lambda lib, p: lib.optim.Adam(p, lr=1e-3),
    "AdamW": lambda lib, p: lib.optim.AdamW(p, lr=1e-3, weight_decay=0.05),
}


def learnt(lib: Any, name: str, optimizer: str, dtype: str) -> tuple[np.ndarray, dict[str, Any]]:
    """The losses of all steps, and the state at the end."""
    make, shape = MODELS[name]
    random = np.random.default_rng(0)
    if name == "Transformer":
        data = random.integers(0, 11, (4, *shape))
    else:
        data = random.standard_normal((4, *shape)).astype(dtype)
    labels = random.integers(0, 4, (4, shape[0]))
    lib.manual_seed(7)
    model = make(lib.nn).to(getattr(lib, dtype))
    step = OPTIMIZERS[optimizer](lib, model.parameters())
    loss_of = lib.nn.CrossEntropyLoss()
    losses = []
    for i in range(STEPS):
        x, y = placed(lib, data[i % 4]), placed(lib, labels[i % 4])
        step.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        step.step()
        losses.append(loss.item())
    return np.array(losses), {k: numpy_of(v) for k, v in model.state_dict().items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", MODELS)
def test_models_learn_as_pytorchs_do(name: str, optimizer: str, dtype: str, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")
    theirs, their_state = learnt(torch, name, optimizer, dtype)
    ours, our_state = learnt(devgrad, name, optimizer, dtype)
    tolerance = 1e-4 if dtype == "float32" else 1e-9
    assert theirs[-4:].mean() < 0.99 * theirs[:4].mean()  # it has learnt
    np.testing.assert_allclose(ours, theirs, rtol=tolerance)
    assert list(our_state) == list(their_state)
    for key, theirs_end in their_state.items():
        if key.endswith("in_proj_bias"):
            # A bias of all keys changes no softmax: what its gradient is are rounding errors, which
            # Adam makes as large as any gradient.
            our_state[key], theirs_end = (
                np.delete(x, np.s_[16:32]) for x in (our_state[key], theirs_end)
            )
        scale = np.abs(theirs_end).max()
        np.testing.assert_allclose(
            our_state[key], theirs_end, rtol=tolerance, atol=tolerance * scale, err_msg=key
        )
