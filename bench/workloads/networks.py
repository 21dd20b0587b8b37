"""Training steps of small networks: forward, backward and the optimizer."""

from __future__ import annotations

from typing import Any

from bench.registry import Case, workload
from bench.workloads.images import scattered

WIDTHS = (784, 256, 128, 10)
MLPS = {"sgd": {"optimizer": "sgd"}, "adam": {"optimizer": "adam"}}


def set_evenly(lib: Any, device: Any, module: Any) -> None:
    """Give a module's parameters values that are the same in every library."""
    with lib.no_grad():
        for number, p in enumerate(module.parameters()):
            if p.ndim > 1:
                p.copy_(scattered(lib, device, *p.shape, scale=p.shape[1] ** -0.5, start=number))


@workload("mlp", per="step", cases=MLPS, quick={"batch": 8}, rtol=1e-3)
def mlp(lib: Any, device: Any, *, optimizer: str, batch: int = 128) -> Case:
    """784-256-128-10 with ReLU and cross-entropy, batch 128, SGD with momentum or Adam."""
    nn = lib.nn
    model = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    ).to(device)
    set_evenly(lib, device, model)
    with lib.no_grad():
        for layer in (model[0], model[2], model[4]):
            layer.bias.zero_()
    if optimizer == "sgd":
        updates = lib.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    else:
        updates = lib.optim.Adam(model.parameters(), lr=0.001)
    x = scattered(lib, device, batch, 784)
    labels = lib.arange(batch, device=device) % 10
    loss = None

    def step() -> None:
        nonlocal loss
        updates.zero_grad()
        loss = nn.functional.cross_entropy(model(x), labels)
        loss.backward()
        updates.step()

    return Case(step, result=lambda: {"loss": loss, "bias": model[4].bias})


@mlp.hand
def mlp_hand(xp: Any, *, optimizer: str, batch: int = 128) -> Case:
    """Three products forward, five backward; the updates in place."""

    def numbers(*shape: int, scale: float = 1.0, start: int = 0) -> Any:
        n = xp.arange(start, start + shape[0] * shape[1])
        n = n * n * 7919 % 1_000_003 - 500_001
        return (n.astype(xp.float32) / xp.float32(500_001) * xp.float32(scale)).reshape(shape)

    parameters: list[Any] = []
    for i, (inputs, outputs) in enumerate(zip(WIDTHS, WIDTHS[1:], strict=False)):
        parameters += [numbers(outputs, inputs, scale=inputs**-0.5, start=2 * i)]
        parameters += [xp.zeros(outputs, xp.float32)]
    first = [xp.zeros_like(p) for p in parameters]
    second = [xp.zeros_like(p) for p in parameters]
    x = numbers(batch, WIDTHS[0])
    rows = xp.arange(batch)
    labels = rows % 10
    result: dict[str, Any] = {}
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        w1, b1, w2, b2, w3, b3 = parameters
        h1 = x @ w1.T
        h1 += b1
        xp.maximum(h1, 0, out=h1)
        h2 = h1 @ w2.T
        h2 += b2
        xp.maximum(h2, 0, out=h2)
        z = h2 @ w3.T
        z += b3
        z -= z.max(axis=1, keepdims=True)
        e = xp.exp(z)
        total = e.sum(axis=1, keepdims=True)
        loss = (xp.log(total[:, 0]) - z[rows, labels]).mean()

        e /= total
        e[rows, labels] -= 1
        e /= batch
        g2 = (e @ w3) * (h2 > 0)
        g1 = (g2 @ w2) * (h1 > 0)
        gradients = [g1.T @ x, g1.sum(axis=0), g2.T @ h1, g2.sum(axis=0), e.T @ h2, e.sum(axis=0)]
        for p, g, m, v in zip(parameters, gradients, first, second, strict=True):
            if optimizer == "sgd":
                m *= 0.9
                m += g
                p -= 0.01 * m
            else:
                m *= 0.9
                m += 0.1 * g
                v *= 0.999
                g *= g
                g *= 0.001
                v += g
                xp.sqrt(v, out=g)
                g /= (1 - 0.999**steps) ** 0.5
                g += 1e-8
                xp.divide(m, g, out=g)
                g *= 0.001 / (1 - 0.9**steps)
                p -= g
        result.update({"loss": loss, "bias": b3})

    return Case(step, result=lambda: result)


def _block_class(lib: Any, width: int, heads: int, fused: bool) -> Any:
    nn, F = lib.nn, lib.nn.functional

    class Block(nn.Module):  # type: ignore[misc]
        """A layer of GPT: causal attention, then a small network, each added to its input."""

        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x: Any, mask: Any) -> Any:
            x = x + self.attention(self.norm1(x), mask)
            return x + self.down(F.gelu(self.up(self.norm2(x))))

        def attention(self, x: Any, mask: Any) -> Any:
            batch, tokens, _ = x.shape
            parts = self.qkv(x).split(width, dim=2)
            q, k, v = (p.view(batch, tokens, heads, width // heads).transpose(1, 2) for p in parts)
            if fused:
                y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            else:
                scores = (q @ k.transpose(-2, -1)) * (width // heads) ** -0.5
                y = F.softmax(scores.masked_fill(mask, float("-inf")), dim=-1) @ v
            return self.out(y.transpose(1, 2).reshape(batch, tokens, width))

    return Block


@workload("gpt_block", per="step", quick={"batch": 2, "tokens": 8}, rtol=1e-3,
          cases={"written": {"fused": False}, "sdpa": {"fused": True}})  # fmt: skip
def gpt_block(lib: Any, device: Any, *, fused: bool, batch: int = 16, tokens: int = 64) -> Case:
    """Two GPT layers, width 128, 4 heads, 64 tokens, batch 16, AdamW; attention by hand or sdpa."""
    width, heads = 128, 4
    block = _block_class(lib, width, heads, fused)
    layers = lib.nn.ModuleList([block(), block()]).to(device)
    with lib.no_grad():
        for number, p in enumerate(layers.parameters()):
            if p.ndim > 1:
                p.copy_(scattered(lib, device, *p.shape, scale=p.shape[1] ** -0.5, start=number))
    for module in layers.modules():
        if isinstance(module, lib.nn.Linear):
            lib.nn.init.zeros_(module.bias)
    updates = lib.optim.AdamW(layers.parameters(), lr=1e-4)
    x = scattered(lib, device, batch, tokens, width)
    target = scattered(lib, device, batch, tokens, width, start=7)
    mask = lib.ones(tokens, tokens, dtype=lib.bool, device=device).triu(1)
    loss = None

    def step() -> None:
        nonlocal loss
        updates.zero_grad()
        h = x
        for layer in layers:
            h = layer(h, mask)
        loss = lib.nn.functional.mse_loss(h, target)
        loss.backward()
        updates.step()

    return Case(step, result=lambda: {"loss": loss})


@workload("lstm", per="step", quick={"steps": 5, "batch": 4}, rtol=1e-3)
def lstm(lib: Any, device: Any, *, steps: int = 50, batch: int = 32) -> Case:
    """`nn.LSTM`, 64 inputs, hidden 64, 50 steps, batch 32: forward and all gradients."""
    layer = lib.nn.LSTM(64, 64).to(device)
    set_evenly(lib, device, layer)
    with lib.no_grad():
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
    x = scattered(lib, device, steps, batch, 64).requires_grad_()
    out = None

    def step() -> None:
        nonlocal out
        x.grad = None
        layer.zero_grad()
        out = (layer(x)[0] ** 2).mean()
        out.backward()

    return Case(
        step,
        result=lambda: {"out": out, "x.grad": x.grad, "weight.grad": layer.weight_hh_l0.grad},
    )


@workload("lstm_loop", per="step", quick={"steps": 5, "batch": 4}, rtol=1e-3)
def lstm_loop(lib: Any, device: Any, *, steps: int = 50, batch: int = 32) -> Case:
    """The same written as a loop over the steps, from products, chunks, sigmoid and tanh."""
    size = 64
    x = scattered(lib, device, steps, batch, size).requires_grad_()
    w_x = scattered(lib, device, 4 * size, size, scale=size**-0.5).requires_grad_()
    w_h = scattered(lib, device, 4 * size, size, scale=size**-0.5, start=1).requires_grad_()
    bias = lib.zeros(4 * size, device=device, requires_grad=True)
    zeros = lib.zeros(batch, size, device=device)
    out = None

    def step() -> None:
        nonlocal out
        x.grad = w_x.grad = w_h.grad = bias.grad = None
        h = c = zeros
        hidden = []
        for t in range(steps):
            gates = x[t] @ w_x.T + h @ w_h.T + bias
            i, f, g, o = gates.chunk(4, dim=1)
            c = lib.sigmoid(f) * c + lib.sigmoid(i) * lib.tanh(g)
            h = lib.sigmoid(o) * lib.tanh(c)
            hidden.append(h)
        out = (lib.stack(hidden) ** 2).mean()
        out.backward()

    return Case(step, result=lambda: {"out": out, "x.grad": x.grad, "w_h.grad": w_h.grad})


@workload("data_loading", per="epoch", quick={"samples": 256})
def data_loading(lib: Any, device: Any, *, samples: int = 10_000) -> Case:
    """A `DataLoader` over a `TensorDataset` of 10,000 × 64, shuffled, in batches of 128."""
    data = lib.utils.data
    x = scattered(lib, device, samples, 64)
    y = lib.arange(samples, device=device)
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=128, shuffle=True)
    seen = 0

    def step() -> None:
        nonlocal seen
        seen = 0
        for batch, _ in loader:
            seen += len(batch)

    return Case(step, result=lambda: {"seen": [seen]})
