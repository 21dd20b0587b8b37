"""Mixed precision: `devgrad.amp`. PyTorch's autocast on the CPU is the oracle of dtypes."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from placement import numpy_of, placed

import devgrad


def half(device: str, **options: Any) -> Any:
    """A region in float16 on the device of the test."""
    return devgrad.autocast(device, dtype=devgrad.float16, **options)


# --- regions ----------------------------------------------------------------------------------


def test_products_are_computed_in_half(device: str) -> None:
    x = devgrad.ones(2, 3)
    layer = devgrad.nn.Linear(3, 4)
    with half(device):
        for made in (
            x @ x.T, x.matmul(x.T), devgrad.mm(x, x.T), layer(x),
            devgrad.nn.functional.linear(x, layer.weight), x[None].bmm(x.T[None]),
        ):  # fmt: skip
            assert made.dtype is devgrad.float16
        assert (x + x).dtype is devgrad.float32
        assert (x.double() @ x.double().T).dtype is devgrad.float64
        assert (x.long() @ x.long().T).dtype is devgrad.int64
    assert (x @ x.T).dtype is devgrad.float32


def test_losses_are_computed_in_float32(device: str) -> None:
    x = devgrad.ones(2, 3).half()
    functional = devgrad.nn.functional
    with half(device):
        assert functional.mse_loss(x, x).dtype is devgrad.float32
        assert functional.cross_entropy(x, devgrad.tensor([0, 1])).dtype is devgrad.float32
        assert devgrad.cat([x, x.float()]).dtype is devgrad.float32
        assert devgrad.stack([x, x]).dtype is devgrad.float16


def test_on_cuda_what_is_delicate_is_computed_in_float32(device: str) -> None:
    if device == "cpu":
        pytest.skip("PyTorch's list for the CPU is another")
    x = devgrad.ones(2, 3).half()
    with half(device):
        for made in (
            x.exp(), x.sum(), x.sum(dim=1), x.softmax(dim=1), x**2, 2**x, x.pow(2), x.norm(),
            devgrad.nn.functional.layer_norm(x, (3,)), x.log_softmax(1), x.cumsum(0),
        ):  # fmt: skip
            assert made.dtype is devgrad.float32
        assert devgrad.atan2(x, x.float()).dtype is devgrad.float32
        with pytest.raises(RuntimeError, match="are unsafe to autocast"):
            devgrad.nn.functional.binary_cross_entropy(x.float(), x.float())


def test_gradients_come_in_the_parameters_dtype(device: str) -> None:
    layer = devgrad.nn.Linear(3, 2)
    expected = copy.deepcopy(layer)
    x = placed(devgrad, np.random.default_rng(0).normal(size=(5, 3)).astype("f4"))
    with half(device):
        loss = devgrad.nn.functional.mse_loss(layer(x), devgrad.zeros(5, 2))
    loss.backward()
    devgrad.nn.functional.mse_loss(expected(x), devgrad.zeros(5, 2)).backward()
    for p, q in zip(layer.parameters(), expected.parameters()):
        assert p.grad.dtype is devgrad.float32
        assert np.allclose(numpy_of(p.grad), numpy_of(q.grad), rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "TransformerEncoderLayer"])
def test_larger_layers_take_part(name: str, device: str) -> None:
    """Recurrent layers multiply their input in half, and keep their states in float32."""
    devgrad.manual_seed(0)
    sizes = {"input_size": 4, "hidden_size": 3}
    if name == "TransformerEncoderLayer":
        sizes = {"d_model": 4, "nhead": 2, "dim_feedforward": 8, "dropout": 0}
    layer = getattr(devgrad.nn, name)(**sizes)
    x = devgrad.randn(5, 2, 4)
    whole = layer(x)
    with half(device):
        mixed = layer(x)
    if isinstance(whole, tuple):
        whole, mixed = whole[0], mixed[0]
    a, b = numpy_of(whole), numpy_of(mixed)
    assert not np.array_equal(a, b) and np.allclose(a, b, rtol=0.02, atol=0.01)
    mixed.float().square().sum().backward()
    assert {p.grad.dtype for p in layer.parameters()} == {devgrad.float32}


def casts(y: Any) -> set[int]:
    """The nodes that cast the leaves below ``y``."""
    found, todo = set(), [y.grad_fn]
    while todo:
        for node, _ in todo.pop().next_functions:
            if node is not None:
                todo.append(node)
                if "ToCopy" in node.name():
                    found.add(id(node))
    return found


def test_parameters_are_cast_once_for_a_region(device: str) -> None:
    w, x = devgrad.ones(2, 2, requires_grad=True), devgrad.ones(2, 2)
    with half(device):
        assert len(casts((x @ w) + (x @ w))) == 1
        before = x @ w
        with devgrad.no_grad():
            assert not (x @ w).requires_grad
            w += 1  # what was cast before is out of date
        assert (x @ w).tolist() == [[4, 4], [4, 4]]
        assert before.tolist() == [[2, 2], [2, 2]]
        with half(device):
            pass
        assert devgrad.is_autocast_enabled(device)
    with half(device, cache_enabled=False):
        assert len(casts((x @ w) + (x @ w))) == 2
    with half(device), devgrad.no_grad():
        x @ w
        with devgrad.enable_grad():
            assert (x @ w).requires_grad


def test_regions_within_regions(device: str) -> None:
    x = devgrad.ones(2, 2)
    region = half(device)
    with region:
        with half(device, enabled=False):
            assert not devgrad.is_autocast_enabled(device)
            assert (x @ x).dtype is devgrad.float32
            with region:
                assert (x @ x).dtype is devgrad.float16
        assert (x @ x).dtype is devgrad.float16
    with pytest.raises(ZeroDivisionError), region:
        raise ZeroDivisionError
    assert not devgrad.is_autocast_enabled(device)


def test_it_is_a_decorator_and_belongs_to_its_thread(device: str) -> None:
    found = []

    @half(device)
    def product(x: Any, depth: int = 2) -> Any:
        if depth:
            product(x, depth - 1)
        return x @ x

    x = devgrad.ones(2, 2)
    assert product.__name__ == "product"
    assert product(x).dtype is devgrad.float16
    with half(device):
        thread = threading.Thread(target=lambda: found.append((x @ x).dtype))
        thread.start()
        thread.join()
    assert found == [devgrad.float32]


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpoints_are_computed_again_alike(reentrant: bool, device: str) -> None:
    w, x = devgrad.ones(2, 2, requires_grad=True), devgrad.ones(2, 2, requires_grad=True)
    with half(device):
        y = devgrad.utils.checkpoint.checkpoint(
            lambda x: (x @ w).relu(), x, use_reentrant=reentrant
        )
    assert y.dtype is devgrad.float16
    y.float().sum().backward()
    assert w.grad.tolist() == [[2, 2], [2, 2]]
    assert not devgrad.is_autocast_enabled(device)


def test_out_and_in_place_are_left_alone(device: str) -> None:
    x, out = devgrad.ones(2, 2), devgrad.zeros(2, 2)
    with half(device):
        assert devgrad.mm(x, x, out=out).dtype is devgrad.float32
        assert x.exp_().dtype is devgrad.float32


def test_bfloat16_is_said_to_be_missing() -> None:
    with pytest.raises(RuntimeError, match="bfloat16, unless it is told otherwise"):
        devgrad.autocast("cpu")
    with devgrad.autocast("cpu", enabled=False):
        assert (devgrad.ones(1, 1) @ devgrad.ones(1, 1)).dtype is devgrad.float32
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        assert not devgrad.autocast("cpu", dtype=devgrad.float32)._enabled
    with pytest.raises(RuntimeError, match="unsupported autocast device_type 'moon'"):
        devgrad.autocast("moon")
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        devgrad.autocast(devgrad.device("cpu"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"autocast\(\)\(func\) requires a callable"):
        half("cpu")(3)


def test_the_modes_can_be_set(device: str) -> None:
    assert devgrad.get_autocast_dtype("cuda") is devgrad.float16
    x = devgrad.ones(2, 2)
    devgrad.set_autocast_dtype(device, devgrad.float16)
    devgrad.set_autocast_enabled(device, True)
    try:
        assert (x @ x).dtype is devgrad.float16
    finally:
        devgrad.set_autocast_enabled(device, False)
    assert (x @ x).dtype is devgrad.float32


@pytest.mark.host_only(reason="it starts a process")
def test_without_autocast_there_are_no_doors() -> None:
    code = """if True:
        import devgrad, inspect
        before = devgrad.mm.__code__, devgrad.exp.__code__
        assert "devgrad.amp" not in __import__("sys").modules
        with devgrad.autocast("cpu", dtype=devgrad.float16):
            pass
        after = devgrad.mm.__code__.co_filename
        assert after == "<devgrad autocast>", after
        assert list(inspect.signature(devgrad.nn.functional.linear).parameters)[0] == "input"
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(devgrad.__file__).parents[1])},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# --- functions of one's own -------------------------------------------------------------------


def test_functions_of_ones_own(device: str) -> None:
    seen = []

    class Product(devgrad.autograd.Function):
        @staticmethod
        @devgrad.amp.custom_fwd(device_type=device, cast_inputs=devgrad.float32)
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            ctx.save_for_backward(a, b)
            seen.append((a.dtype, (a @ b).dtype))
            return a @ b

        @staticmethod
        @devgrad.amp.custom_bwd(device_type=device)
        def backward(ctx: Any, g: Any) -> Any:
            a, b = ctx.saved_tensors
            seen.append((g @ b.T).dtype)
            return g @ b.T, a.T @ g

    a = devgrad.ones(2, 2).half().requires_grad_()
    with half(device):
        Product.apply(a, devgrad.ones(2, 2).half()).sum().backward()
    assert seen == [(devgrad.float32, devgrad.float32), devgrad.float32]
    assert a.grad.dtype is devgrad.float16


# --- the oracle -------------------------------------------------------------------------------


CALLS = """
    x.mm(x)|x.matmul(x)|x @ x|T.addmm(x, x, x)|T.addmv(x[0], x, x[0])|T.mv(x, x[0])
    T.bmm(x[None], x[None])|T.baddbmm(x[None], x[None], x[None])|T.einsum('ij,jk->ik', x, x)
    F.linear(x, x)|F.conv1d(x[None], x[:, :, None])|F.conv2d(x[None, None], x[None, None])
    F.conv_transpose1d(x[None], x[:, :, None])|F.scaled_dot_product_attention(x, x, x)
    F.prelu(x, x[0])|T.addbmm(x, x[None], x[None])|T.linalg.multi_dot([x, x])
    F.mse_loss(x, x)|F.l1_loss(x, x)|F.smooth_l1_loss(x, x)|F.huber_loss(x, x)
    F.kl_div(x, x, reduction='sum')
    F.binary_cross_entropy_with_logits(x, x)|F.binary_cross_entropy(x, x)
    F.poisson_nll_loss(x, x)|F.nll_loss(x, i)|F.cross_entropy(x, i)|F.margin_ranking_loss(x, x, x)
    F.soft_margin_loss(x, x)
    F.multi_margin_loss(x, i)|F.hinge_embedding_loss(x, x)|F.triplet_margin_loss(x, x, x)
    F.cosine_embedding_loss(x, x, x[0])|T.cdist(x, x)|x.prod()|x.prod(0)|x.trace()|x.quantile(0.5)
    x.sum()|x.sum(0)|x.exp()|x.log()|x.softmax(0)|F.log_softmax(x, 0)|F.layer_norm(x, (3,))|x.norm()
    x + x|x * x|x ** 2|T.cat([x, w])|T.stack([w, x])|T.where(x > 0, x, x)|F.relu(x)|F.gelu(x)
    T.dot(x[0], x[0])|T.outer(x[0], x[0])|T.tensordot(x, x, 1)|x.mean()|x.std()|T.atan2(x, w)
    T.linalg.inv(x)|T.linalg.cholesky(x @ x.T + e)|T.linalg.solve(x, x)|x.inverse()|T.fft.fft(x)
    F.pad(x, (1, 1))|F.dropout(x)|T.linalg.norm(x)|F.normalize(x)|F.cosine_similarity(x, x)
"""


@pytest.mark.host_only(reason="PyTorch has no CUDA here")
@pytest.mark.parametrize(
    "call", [c for line in CALLS.split("\n") for c in line.strip().split("|") if c]
)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_dtypes_are_pytorchs_on_the_cpu(call: str, dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is missing")
    array = np.random.default_rng(0).uniform(0.1, 0.9, (3, 3)) + np.eye(3)
    array /= array.max()
    found = []
    for lib in (torch, devgrad):
        scope = {
            "x": placed(lib, array.astype(dtype)), "w": placed(lib, array.astype("f4")),
            "i": lib.tensor([0, 1, 2]), "T": lib, "F": lib.nn.functional, "e": lib.eye(3),
        }  # fmt: skip
        with lib.autocast("cpu", dtype=lib.float16):
            try:
                found.append(str(eval(call, scope).dtype))
            except (RuntimeError, TypeError, NotImplementedError) as error:
                found.append(error)
    if isinstance(found[0], Exception):
        pytest.skip(f"PyTorch does not compute it: {found[0]}")
    assert found[0] == found[1]


# --- GradScaler -------------------------------------------------------------------------------


def scaled_run(lib: Any, losses: list[float]) -> list[Any]:
    """What a scaler and the parameter are after each step; a loss is its own gradient."""
    w = lib.ones(2, requires_grad=True)
    optimizer = lib.optim.SGD([w], lr=0.25)
    device = "cuda" if lib is devgrad and w.device.type == "cuda" else "cpu"
    scaler = lib.amp.GradScaler(device, init_scale=8.0, growth_interval=2)
    seen = []
    for factor in losses:
        optimizer.zero_grad()
        scaler.scale((w * factor).sum()).backward()
        if factor == 0.5:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaler.get_scale(), scaler._get_growth_tracker(), numpy_of(w).tolist()))
    return [*seen, scaler.state_dict()]


def test_the_scaler_is_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is missing")
    inf, nan = float("inf"), float("nan")
    for losses in (
        [1, 1, 1, inf, 1, 1],
        [nan, 0.5, 0.5, inf],
        [3e38, 1, 1, 1, 1],
        [inf, inf, -inf],
    ):
        ours, theirs = scaled_run(devgrad, losses), scaled_run(torch, losses)
        assert repr(ours) == repr(theirs)


def test_a_scale_that_would_be_infinite_stays() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the oracle, is missing")
    seen = []
    for lib in (devgrad, torch):
        w = lib.ones(1, requires_grad=True)
        device = w.device.type
        scaler = lib.amp.GradScaler(device, init_scale=2.0**127, growth_interval=1)
        optimizer = lib.optim.SGD([w], lr=1.0)
        scaler.scale(w.sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        seen.append((scaler.get_scale(), scaler._get_growth_tracker()))
    assert seen[0] == seen[1] == (2.0**127, 0)


def test_the_scaler_refuses_what_pytorchs_refuses(device: str) -> None:
    w = devgrad.ones(1, requires_grad=True)
    optimizer = devgrad.optim.SGD([w], lr=0.1)
    scaler = devgrad.amp.GradScaler(device)
    with pytest.raises(AssertionError, match="_scale is None"):
        scaler.step(optimizer)
    scaled = scaler.scale([w.sum(), (w * 2).sum()])
    assert isinstance(scaled, list) and scaled[1].item() == 2 * 2.0**16
    assert [x.item() for x in scaler.scale(iter([w.sum()]))] == [2.0**16]
    with pytest.raises(ValueError, match="outputs must be a Tensor or an iterable of Tensors"):
        scaler.scale(3)
    with pytest.raises(AssertionError, match="No inf checks were recorded for this optimizer."):
        scaler.step(optimizer)
    scaler.update(4.0)
    assert scaler.get_scale() == 4.0
    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    assert w.grad.item() == 1.0
    with pytest.raises(RuntimeError, match="unscale_.. has already been called"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(optimizer, closure=lambda: None)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="step.. has already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="is being called after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(AssertionError, match="may only be pickled"):
        pickle.dumps(scaler)
    scaler.update()
    again = pickle.loads(pickle.dumps(scaler))
    assert again.state_dict() == scaler.state_dict()
    other = devgrad.amp.GradScaler(device)
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()
    with pytest.raises(RuntimeError, match="The source state dict is empty"):
        other.load_state_dict({})
    h = devgrad.ones(1).half().requires_grad_()
    scaler.scale(h.sum()).backward()
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients."):
        scaler.step(devgrad.optim.SGD([h], lr=0.1))


def test_a_scaler_that_is_off_does_nothing(device: str) -> None:
    w = devgrad.ones(1, requires_grad=True)
    optimizer = devgrad.optim.SGD([w], lr=0.5)
    scaler = devgrad.amp.GradScaler(device, enabled=False)
    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == 0.5
    assert not scaler.is_enabled() and scaler.get_scale() == 1.0 and scaler.state_dict() == {}


def test_the_older_names(device: str) -> None:
    available = devgrad.cuda.is_available()
    with pytest.warns() as caught:
        region, scaler = devgrad.cuda.amp.autocast(), devgrad.cuda.amp.GradScaler()
    texts = [str(w.message) for w in caught]
    assert any("`torch.cuda.amp.autocast(args...)` is deprecated" in text for text in texts)
    assert any("CUDA is not available" in text for text in texts) is not available
    assert scaler.is_enabled() is available
    with region:
        assert devgrad.is_autocast_enabled() is available


def test_a_network_learns_in_half(device: str) -> None:
    devgrad.manual_seed(0)
    model = devgrad.nn.Sequential(
        devgrad.nn.Linear(4, 16), devgrad.nn.Tanh(), devgrad.nn.Linear(16, 1)
    ).to(device)
    optimizer = devgrad.optim.Adam(model.parameters(), lr=0.02)
    scaler = devgrad.amp.GradScaler(device)
    x = placed(devgrad, np.random.default_rng(0).normal(size=(64, 4)).astype("f4"))
    y = x.prod(1, keepdim=True)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        with half(device):
            loss = devgrad.nn.functional.mse_loss(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
