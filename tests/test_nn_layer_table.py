"""The layers with parameters, windows or states, each compared with PyTorch's.

A row is a constructor and the shapes of its inputs (or what makes them). Both libraries' layers
begin from the same seed, and have to agree in their parameters, outputs, gradients, in what they
print and in their state dicts.
"""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch
from placement import numpy_of, placed

import devgrad

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def numbers(lib: Any, *shape: int, seed: int = 0) -> Any:
    return placed(lib, np.random.default_rng(seed).standard_normal(shape))


def indices(*shape: int, high: int = 7) -> Any:
    return lambda lib: placed(lib, np.random.default_rng(5).integers(0, high, shape))


def mask(rows: list[list[int]]) -> Any:
    return lambda lib: placed(lib, np.array(rows, bool))


CAUSAL = mask([[0, 1, 1], [0, 0, 1], [0, 0, 0]])
PADDED = mask([[0, 0, 0], [0, 0, 1]])

LAYERS: dict[str, tuple[Any, list[Any]]] = {
    # convolutions
    "conv1d": (lambda nn: nn.Conv1d(4, 6, 3), [(2, 4, 9)]),
    "conv1d options": (
        lambda nn: nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2, bias=False),
        [(2, 4, 9)],
    ),
    "conv2d": (lambda nn: nn.Conv2d(3, 5, (3, 2)), [(2, 3, 7, 6)]),
    "conv2d alone": (lambda nn: nn.Conv2d(3, 5, 3, padding=(1, 0)), [(3, 7, 6)]),
    "conv2d same": (lambda nn: nn.Conv2d(3, 5, (5, 3), padding="same"), [(2, 3, 7, 6)]),
    "conv2d valid": (lambda nn: nn.Conv2d(3, 5, 3, padding="valid", stride=2), [(2, 3, 7, 6)]),
    "conv2d reflect": (
        lambda nn: nn.Conv2d(3, 4, 3, padding=(2, 1), padding_mode="reflect"), [(2, 3, 7, 6)]
    ),
    "conv2d circular same": (
        lambda nn: nn.Conv2d(3, 4, (4, 3), padding="same", padding_mode="circular"),
        [(2, 3, 7, 6)],
    ),
    "conv2d replicate valid": (
        lambda nn: nn.Conv2d(3, 4, 3, padding="valid", padding_mode="replicate"), [(2, 3, 7, 6)]
    ),
    "conv2d depthwise": (lambda nn: nn.Conv2d(4, 8, 3, groups=4), [(2, 4, 5, 5)]),
    "conv3d": (lambda nn: nn.Conv3d(2, 3, (2, 3, 2), padding=1), [(2, 2, 4, 5, 4)]),
    "transposed 1d": (
        lambda nn: nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2),
        [(2, 4, 5)],
    ),
    "transposed 2d": (
        lambda nn: nn.ConvTranspose2d(3, 4, (3, 2), dilation=2, bias=False), [(2, 3, 5, 4)]
    ),
    "transposed 3d": (lambda nn: nn.ConvTranspose3d(2, 3, 2, stride=2), [(1, 2, 2, 3, 2)]),
    # pooling
    "max pool 1d": (lambda nn: nn.MaxPool1d(3, stride=2, padding=1), [(2, 3, 9)]),
    "max pool 2d": (lambda nn: nn.MaxPool2d((2, 3), ceil_mode=True), [(2, 3, 7, 8)]),
    "max pool 2d indices": (lambda nn: nn.MaxPool2d(2, return_indices=True), [(2, 3, 6, 6)]),
    "max pool 3d": (lambda nn: nn.MaxPool3d(2, dilation=2), [(2, 2, 5, 5, 5)]),
    "avg pool 1d": (lambda nn: nn.AvgPool1d(3, 2, 1), [(2, 3, 9)]),
    "avg pool 2d": (
        lambda nn: nn.AvgPool2d(3, padding=1, count_include_pad=False), [(2, 3, 7, 8)]
    ),
    "avg pool 3d": (lambda nn: nn.AvgPool3d(2, divisor_override=3), [(2, 2, 4, 4, 4)]),
    "lp pool 1d": (lambda nn: nn.LPPool1d(2, 3), [(2, 3, 9)]),
    "lp pool 2d": (lambda nn: nn.LPPool2d(2, 2, stride=1, ceil_mode=True), [(2, 3, 6, 6)]),
    "lp pool 3d": (lambda nn: nn.LPPool3d(2.0, 2), [(2, 2, 4, 4, 4)]),
    "adaptive mean 1d": (lambda nn: nn.AdaptiveAvgPool1d(4), [(2, 3, 9)]),
    "adaptive mean 2d": (lambda nn: nn.AdaptiveAvgPool2d((None, 3)), [(2, 3, 7, 8)]),
    "adaptive mean 3d": (lambda nn: nn.AdaptiveAvgPool3d(2), [(2, 2, 5, 4, 3)]),
    "adaptive max 1d": (lambda nn: nn.AdaptiveMaxPool1d(4), [(2, 3, 9)]),
    "adaptive max 2d": (lambda nn: nn.AdaptiveMaxPool2d(3, return_indices=True), [(2, 3, 7, 8)]),
    "adaptive max 3d": (lambda nn: nn.AdaptiveMaxPool3d((2, 3, 1)), [(2, 2, 5, 4, 3)]),
    # padding
    "circular 1d": (lambda nn: nn.CircularPad1d(2), [(2, 3, 5)]),
    "circular 2d": (lambda nn: nn.CircularPad2d((1, 2, 0, 3)), [(2, 3, 5, 4)]),
    "circular 3d": (lambda nn: nn.CircularPad3d(1), [(2, 3, 3, 4)]),
    "constant 1d": (lambda nn: nn.ConstantPad1d((1, -1), 2.5), [(2, 3, 5)]),
    "constant 2d": (lambda nn: nn.ConstantPad2d(1, -1), [(2, 3, 5, 4)]),
    "constant 3d": (lambda nn: nn.ConstantPad3d((1, 0, 2, 0, 0, 1), 0.5), [(1, 2, 3, 3, 4)]),
    "zero 1d": (lambda nn: nn.ZeroPad1d(2), [(2, 3, 5)]),
    "zero 2d": (lambda nn: nn.ZeroPad2d((1, 2, 0, 3)), [(2, 3, 5, 4)]),
    "zero 3d": (lambda nn: nn.ZeroPad3d(1), [(1, 2, 3, 3, 4)]),
    "reflection 1d": (lambda nn: nn.ReflectionPad1d(2), [(2, 3, 5)]),
    "reflection 2d": (lambda nn: nn.ReflectionPad2d((1, 2, 0, 3)), [(2, 3, 5, 4)]),
    "reflection 3d": (lambda nn: nn.ReflectionPad3d(1), [(1, 2, 3, 3, 4)]),
    "replication 1d": (lambda nn: nn.ReplicationPad1d(2), [(2, 3, 5)]),
    "replication 2d": (lambda nn: nn.ReplicationPad2d((1, 2, 0, 3)), [(2, 3, 5, 4)]),
    "replication 3d": (lambda nn: nn.ReplicationPad3d(1), [(1, 2, 3, 3, 4)]),
    # normalisation
    "batch norm 1d": (lambda nn: nn.BatchNorm1d(4), [(6, 4)]),
    "batch norm 1d of lines": (lambda nn: nn.BatchNorm1d(4, momentum=None), [(6, 4, 3)]),
    "batch norm 2d": (lambda nn: nn.BatchNorm2d(3, eps=1e-3, momentum=0.3), [(4, 3, 3, 2)]),
    "batch norm 2d plain": (
        lambda nn: nn.BatchNorm2d(3, affine=False, track_running_stats=False), [(4, 3, 3, 2)]
    ),
    "batch norm 2d unshifted": (lambda nn: nn.BatchNorm2d(3, bias=False), [(4, 3, 3, 2)]),
    "batch norm 3d": (lambda nn: nn.BatchNorm3d(2), [(2, 2, 3, 2, 2)]),
    "instance norm 1d": (lambda nn: nn.InstanceNorm1d(3, affine=True), [(2, 3, 5)]),
    "instance norm 1d alone": (lambda nn: nn.InstanceNorm1d(3), [(3, 5)]),
    "instance norm 2d": (
        lambda nn: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), [(2, 3, 4, 3)]
    ),
    "instance norm 3d": (lambda nn: nn.InstanceNorm3d(2), [(2, 2, 3, 2, 2)]),
    "layer norm": (lambda nn: nn.LayerNorm(5), [(3, 4, 5)]),
    "layer norm of images": (lambda nn: nn.LayerNorm([4, 5], 1e-3, bias=False), [(3, 4, 5)]),
    "layer norm plain": (lambda nn: nn.LayerNorm((5,), elementwise_affine=False), [(3, 5)]),
    "group norm": (lambda nn: nn.GroupNorm(2, 6), [(3, 6, 4)]),
    "group norm plain": (lambda nn: nn.GroupNorm(3, 6, affine=False), [(3, 6, 2, 2)]),
    "rms norm": (lambda nn: nn.RMSNorm([4, 5]), [(3, 4, 5)]),
    "rms norm plain": (lambda nn: nn.RMSNorm(5, 1e-3, False), [(3, 4, 5)]),
    "local response": (lambda nn: nn.LocalResponseNorm(3, alpha=0.1), [(2, 5, 4)]),
    # embeddings
    "embedding": (lambda nn: nn.Embedding(7, 3), [indices(2, 4)]),
    "embedding padded": (
        lambda nn: nn.Embedding(7, 3, padding_idx=-2, scale_grad_by_freq=True), [indices(2, 9)]
    ),
    "bags": (lambda nn: nn.EmbeddingBag(7, 3), [indices(2, 4)]),
    "bags summed": (
        lambda nn: nn.EmbeddingBag(7, 3, mode="sum", padding_idx=1),
        [indices(9), lambda lib: placed(lib, np.array([0, 2, 2, 5]))],
    ),
    "bags' largest": (lambda nn: nn.EmbeddingBag(7, 3, mode="max", norm_type=1.0),
                      [indices(2, 4)]),
    # images
    "upsample": (lambda nn: nn.Upsample(scale_factor=2, mode="bilinear"), [(1, 2, 3, 4)]),
    "upsample to a size": (lambda nn: nn.Upsample(size=(5, 7)), [(1, 2, 3, 4)]),
    "upsample linear": (
        lambda nn: nn.Upsample(scale_factor=(2.5,), mode="linear", align_corners=True), [(1, 2, 4)]
    ),
    "upsampling nearest": (lambda nn: nn.UpsamplingNearest2d(scale_factor=3), [(1, 2, 3, 4)]),
    "upsampling bilinear": (lambda nn: nn.UpsamplingBilinear2d(size=6), [(1, 2, 3, 4)]),
    "unfold": (lambda nn: nn.Unfold((2, 3), padding=1, stride=2), [(2, 3, 5, 6)]),
    "fold": (lambda nn: nn.Fold((4, 5), 2), [(2, 12, 12)]),
    "pixel shuffle": (lambda nn: nn.PixelShuffle(2), [(2, 8, 3, 2)]),
    "pixel unshuffle": (lambda nn: nn.PixelUnshuffle(2), [(2, 3, 4, 6)]),
    "channel shuffle": (lambda nn: nn.ChannelShuffle(3), [(2, 6, 2, 2)]),
    # many classes
    "adaptive softmax": (
        lambda nn: nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10], div_value=2.0, head_bias=True),
        [(6, 16), lambda lib: placed(lib, np.array([0, 19, 4, 7, 12, 5]))],
    ),
    "adaptive softmax alone": (
        lambda nn: nn.AdaptiveLogSoftmaxWithLoss(16, 20, [5]),
        [(16,), lambda lib: placed(lib, np.array(7))],
    ),
    # attention
    "attention": (lambda nn: nn.MultiheadAttention(8, 2), [(3, 2, 8), (4, 2, 8), (4, 2, 8)]),
    "attention alone": (
        lambda nn: nn.MultiheadAttention(6, 3, bias=False), [(3, 6), (4, 6), (4, 6)]
    ),
    "attention of other lengths": (
        lambda nn: nn.MultiheadAttention(8, 2, kdim=5, vdim=6, batch_first=True,
                                         add_bias_kv=True, add_zero_attn=True),
        [(2, 3, 8), (2, 4, 5), (2, 4, 6)],
    ),
    "encoder layer": (
        lambda nn: nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0), [(3, 2, 8), CAUSAL, PADDED]
    ),
    "encoder layer first": (
        lambda nn: nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", 1e-3, True, True, False),
        [(2, 3, 8)],
    ),
    "decoder layer": (
        lambda nn: nn.TransformerDecoderLayer(8, 4, 12, dropout=0.0, norm_first=True),
        [(3, 2, 8), (4, 2, 8), CAUSAL],
    ),
    "encoder": (
        lambda nn: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 12, 0.0, nn.SiLU()), 2, nn.LayerNorm(8),
            enable_nested_tensor=False,
        ),
        [(3, 2, 8)],
    ),
    "decoder": (
        lambda nn: nn.TransformerDecoder(
            nn.TransformerDecoderLayer(8, 2, 12, 0.0, batch_first=True), 2
        ),
        [(2, 3, 8), (2, 4, 8)],
    ),
    # one step of recurrent layers
    "rnn cell": (lambda nn: nn.RNNCell(4, 5), [(3, 4), (3, 5)]),
    "rnn cell relu": (lambda nn: nn.RNNCell(4, 5, False, "relu"), [(4,)]),
    "lstm cell": (lambda nn: nn.LSTMCell(4, 5), [(3, 4)]),
    "gru cell": (lambda nn: nn.GRUCell(4, 5), [(3, 4), (3, 5)]),
    "gru cell alone": (lambda nn: nn.GRUCell(4, 5, bias=False), [(4,), (5,)]),
}  # fmt: skip


def inputs(lib: Any, given: list[Any]) -> list[Any]:
    """Numbers of the shapes, requiring grad, or what the row makes."""
    return [
        x(lib) if callable(x) else numbers(lib, *x, seed=i).requires_grad_()
        for i, x in enumerate(given)
    ]


def results(output: Any) -> list[Any]:
    return list(output) if isinstance(output, tuple) else [output]


def fill(lib: Any, layer: Any) -> None:
    with lib.no_grad():
        for i, p in enumerate(layer.parameters()):
            p.copy_(numbers(lib, *p.shape, seed=100 + i) * 0.5)


@pytest.mark.parametrize("name", LAYERS)
def test_layers_compute_what_pytorchs_do(name: str) -> None:
    make, shapes = LAYERS[name]

    def program(lib: Any) -> Any:
        layer = make(lib.nn).double()
        fill(lib, layer)
        given = inputs(lib, shapes)
        out = results(layer(*given))
        weighted = [(y * numbers(lib, *y.shape, seed=9)).sum() for y in out if y.requires_grad]
        sum(weighted[1:], weighted[0]).backward()
        grads = [x.grad for x in given if x.requires_grad]
        parameters = {n: p.grad for n, p in layer.named_parameters()}
        state = dict(layer.state_dict())
        return repr(layer), out, grads, parameters, state, results(layer.eval()(*given))

    assert_agrees(program, rtol=1e-10)


NORMAL = ("embedding", "bags", "attention of other lengths")  # within a unit of the last place


@pytest.mark.parametrize("name", LAYERS)
def test_layers_begin_as_pytorchs_do(name: str, device: str) -> None:
    if device != "cpu":
        pytest.skip("the CPU's random stream")
    make, _ = LAYERS[name]

    def program(lib: Any) -> Any:
        lib.manual_seed(3)
        layer = make(lib.nn)
        after = lib.rand(2)
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
        return dict(layer.state_dict()), after, [p.requires_grad for p in layer.parameters()]

    assert_agrees(program, rtol=2e-7 if name.startswith(NORMAL) else 0)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_go_both_ways(name: str) -> None:
    make, shapes = LAYERS[name]
    theirs, ours = make(torch.nn).double().eval(), make(devgrad.nn).double().eval()
    fill(torch, theirs)
    state = {k: devgrad.as_tensor(v.numpy()) for k, v in theirs.state_dict().items()}
    assert str(ours.load_state_dict(state)) == "<All keys matched successfully>"
    back = {k: torch.from_numpy(numpy_of(v)) for k, v in ours.state_dict().items()}
    theirs.load_state_dict(back)
    for other in (ours, copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        found, wanted = results(other(*inputs(devgrad, shapes))), theirs(*inputs(torch, shapes))
        for a, b in zip(found, results(wanted), strict=True):
            np.testing.assert_allclose(numpy_of(a), numpy_of(b), rtol=1e-9, atol=1e-12)


# --- what the table does not say ------------------------------------------------------------------


def agree(program: Any, rtol: float = 1e-10) -> Any:
    return assert_agrees(program, rtol)


def test_output_size_of_transposed_convolutions() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1).double()
        fill(lib, layer)
        x = numbers(lib, 2, 1, 4, 4)
        return [layer(x, size) for size in ([8, 7], (2, 1, 7, 8), None)]

    agree(program)
    for size in ([9, 7], [8], [6, 7]):
        refused = agree(lambda lib, size=size: lib.nn.ConvTranspose2d(1, 1, 3, 2, 1).double()(
            numbers(lib, 1, 1, 4, 4), size))  # fmt: skip
        assert isinstance(refused, ValueError)


def test_unpooling() -> None:
    def program(lib: Any) -> Any:
        found = []
        for dims in (1, 2, 3):
            pool = getattr(lib.nn, f"MaxPool{dims}d")(2, return_indices=True)
            back = getattr(lib.nn, f"MaxUnpool{dims}d")(2)
            x = numbers(lib, 2, 3, *[4] * dims).requires_grad_()
            y = back(*pool(x), output_size=x.shape)
            (y * numbers(lib, *y.shape, seed=1)).sum().backward()
            found += [repr(back), y, x.grad]
        return found

    agree(program)


def test_fractional_pooling() -> None:
    def program(lib: Any) -> Any:
        samples = placed(lib, np.random.default_rng(2).random((2, 3, 2)))
        layer = lib.nn.FractionalMaxPool2d(2, output_size=3, _random_samples=samples)
        half = lib.nn.FractionalMaxPool3d(2, output_ratio=0.5, return_indices=True)
        shapes = [y.shape for y in half(numbers(lib, 1, 2, 6, 6, 6))]
        return repr(layer), layer(numbers(lib, 2, 3, 7, 7)), shapes, list(layer.state_dict())

    agree(program)


def test_normalisation_across_maps() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.CrossMapLRN2d(3, alpha=0.1, k=2)
        # Two channels: with more PyTorch's window is another, and its derivative always is.
        return repr(layer), layer(numbers(lib, 2, 2, 4, 3))

    agree(program)


def test_linear_cross_entropy() -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(0)
        weight = numbers(lib, 5, seed=3).abs()
        loss = lib.nn.LinearCrossEntropyLoss(4, 5, bias=True, weight=weight, label_smoothing=0.1)
        loss = loss.double()
        fill(lib, loss)
        x = numbers(lib, 6, 4).requires_grad_()
        y = loss(x, indices(6, high=5)(lib))
        y.backward()
        several = lib.nn.LinearCrossEntropyLoss(4, 5, out_features=(2,)).double()
        fill(lib, several)
        return (
            repr(loss), dict(loss.state_dict()), y, x.grad, repr(several),
            several(x, indices(6, 2, high=5)(lib)),
        )  # fmt: skip

    agree(program)


def test_embeddings_from_tables() -> None:
    def program(lib: Any) -> Any:
        table = numbers(lib, 4, 3)
        one = lib.nn.Embedding.from_pretrained(table, max_norm=1.0, sparse=True)
        bags = lib.nn.EmbeddingBag.from_pretrained(table.clone(), freeze=False, mode="sum")
        x = placed(lib, np.array([[0, 1], [3, 3]]))
        weights = numbers(lib, 2, 2, seed=4)
        return (
            repr(one), one(x), one.weight.requires_grad, table, repr(bags),
            bags(x, per_sample_weights=weights), bags.weight.requires_grad,
        )  # fmt: skip

    agree(program)


def test_all_classes_of_the_adaptive_softmax() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 6], div_value=2.0).double()
        fill(lib, layer)
        x = numbers(lib, 9, 8) * 3
        return layer.log_prob(x), layer.predict(x)

    agree(program)


def test_masks_of_attention() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.MultiheadAttention(8, 2, batch_first=True).double()
        fill(lib, layer)
        x, found = numbers(lib, 2, 3, 8), []
        for options in (
            {"attn_mask": CAUSAL(lib)}, {"key_padding_mask": PADDED(lib)},
            {"attn_mask": CAUSAL(lib), "is_causal": True, "need_weights": False},
            {"attn_mask": numbers(lib, 4, 3, 3), "average_attn_weights": False},
        ):  # fmt: skip
            found += layer(x, x, x, **options)
        return found

    agree(program)


def test_transformer(device: str) -> None:
    def program(lib: Any) -> Any:
        lib.manual_seed(2)
        warnings.filterwarnings("ignore", "enable_nested_tensor")  # which only PyTorch has
        model = lib.nn.Transformer(
            8, 2, 1, 2, dim_feedforward=12, dropout=0.0, batch_first=True, norm_first=True
        )
        begin = dict(model.state_dict()) if device == "cpu" else {}
        begin = {k: v.clone() for k, v in begin.items()}
        model = model.double()
        fill(lib, model)
        src, tgt = numbers(lib, 2, 4, 8).requires_grad_(), numbers(lib, 2, 3, 8)
        future = model.generate_square_subsequent_mask(3)
        y = model(src, tgt, tgt_mask=future.double().to(tgt.device), tgt_is_causal=True)
        (y * numbers(lib, *y.shape, seed=1)).sum().backward()
        return repr(model), begin, future, y, src.grad, [p.grad for p in model.parameters()]

    agree(program)


LAZY = {
    "conv1d": (lambda nn: nn.LazyConv1d(4, 3), (2, 3, 6)),
    "conv2d": (lambda nn: nn.LazyConv2d(4, 3, groups=2, padding=1, bias=False), (2, 6, 6, 5)),
    "conv3d": (lambda nn: nn.LazyConv3d(2, 2), (3, 3, 3, 3)),
    "transposed 1d": (lambda nn: nn.LazyConvTranspose1d(4, 3, stride=2), (2, 3, 6)),
    "transposed 2d": (lambda nn: nn.LazyConvTranspose2d(4, 3, groups=2), (2, 6, 4, 4)),
    "transposed 3d": (lambda nn: nn.LazyConvTranspose3d(2, 2), (3, 3, 3, 3)),
    "batch norm 1d": (lambda nn: nn.LazyBatchNorm1d(momentum=0.3), (4, 3)),
    "batch norm 2d": (lambda nn: nn.LazyBatchNorm2d(affine=False), (4, 3, 2, 2)),
    "batch norm 3d": (lambda nn: nn.LazyBatchNorm3d(track_running_stats=False), (4, 3, 2, 2, 2)),
    "instance norm 1d": (lambda nn: nn.LazyInstanceNorm1d(), (4, 3, 5)),
    "instance norm 2d": (lambda nn: nn.LazyInstanceNorm2d(affine=True), (4, 3, 2, 2)),
    "instance norm 3d": (lambda nn: nn.LazyInstanceNorm3d(bias=False), (4, 3, 2, 2, 2)),
}


@pytest.mark.parametrize("name", LAZY)
def test_lazy_layers(name: str) -> None:
    make, shape = LAZY[name]

    def program(lib: Any) -> Any:
        layer = make(lib.nn)
        before = repr(layer), list(layer.state_dict()), layer.has_uninitialized_params()
        x = numbers(lib, *shape).float()
        shapes = layer(x).shape
        fill(lib, layer)
        full = [p.shape for p in layer.parameters()], list(layer.state_dict())
        other = make(lib.nn)
        other.load_state_dict(layer.state_dict())
        return before, shapes, repr(layer), full, layer(x), other(x)

    agree(program, 1e-4)


REFUSED = {
    "weights of a loss": lambda nn: nn.LinearCrossEntropyLoss(
        2, 3, weight=nn.Linear(2, 2).weight[0].detach()
    ),
    "smoothing": lambda nn: nn.LinearCrossEntropyLoss(2, 3, label_smoothing=2.0),
    "groups": lambda nn: nn.Conv2d(3, 4, 3, groups=2),
    "groups of outputs": lambda nn: nn.Conv2d(4, 3, 3, groups=2),
    "no groups": lambda nn: nn.Conv1d(3, 4, 3, groups=0),
    "same with a stride": lambda nn: nn.Conv2d(3, 4, 3, stride=2, padding="same"),
    "padding of a transposed one": lambda nn: nn.ConvTranspose1d(3, 4, 3, padding_mode="reflect"),
    "fractional pooling without a size": lambda nn: nn.FractionalMaxPool2d(2),
    "fractional pooling with both": lambda nn: nn.FractionalMaxPool3d(2, 3, 0.5),
    "a ratio": lambda nn: nn.FractionalMaxPool2d(2, output_ratio=2.0),
    "a kernel": lambda nn: nn.FractionalMaxPool3d(0, 3),
    "group norm": lambda nn: nn.GroupNorm(4, 6),
    "padding row": lambda nn: nn.Embedding(3, 2, padding_idx=3),
    "padding row of bags": lambda nn: nn.EmbeddingBag(3, 2, padding_idx=-4),
    "no cutoffs": lambda nn: nn.AdaptiveLogSoftmaxWithLoss(8, 10, []),
    "cutoffs": lambda nn: nn.AdaptiveLogSoftmaxWithLoss(8, 10, [5, 3]),
    "heads": lambda nn: nn.MultiheadAttention(8, 3),
    "no heads": lambda nn: nn.MultiheadAttention(8, 0),
    "activation": lambda nn: nn.TransformerEncoderLayer(8, 2, activation="tanh"),
}

REFUSED_INPUTS = {
    "batch norm 1d": (lambda nn: nn.BatchNorm1d(2), [(2, 2, 2, 2)]),
    "batch norm 2d": (lambda nn: nn.BatchNorm2d(2), [(2, 2)]),
    "batch norm 3d": (lambda nn: nn.BatchNorm3d(2), [(2, 2)]),
    "batch norm of one": (lambda nn: nn.BatchNorm1d(2), [(1, 2)]),
    "instance norm": (lambda nn: nn.InstanceNorm2d(2), [(2, 2)]),
    "channels": (lambda nn: nn.InstanceNorm1d(2, affine=True), [(2, 3, 4)]),
    "circular": (lambda nn: nn.CircularPad2d(1), [(2, 2)]),
    "across maps": (lambda nn: nn.CrossMapLRN2d(1), [(2, 2)]),
    "lazy": (lambda nn: nn.LazyConv2d(2, 2), [(2, 2)]),
    "lazy groups": (lambda nn: nn.LazyConv2d(2, 2, groups=2), [(1, 3, 4, 4)]),
    "class": (lambda nn: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [5], 1.0),
              [(3, 4), indices(3, high=90)]),
    "classes": (lambda nn: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [5], 1.0), [(3, 4), indices(2)]),
    "many classes": (lambda nn: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [5], 1.0),
                     [(3, 4), indices(2, 2)]),
    "rnn cell": (lambda nn: nn.RNNCell(2, 2), [(1, 1, 2)]),
    "gru cell's state": (lambda nn: nn.GRUCell(2, 2), [(1, 2), (1, 1, 2)]),
    "nonlinearity": (lambda nn: nn.RNNCell(2, 2, nonlinearity="exp"), [(1, 2)]),
    "transformer's batch": (lambda nn: nn.Transformer(4, 1, 1, 1, 4), [(2, 3, 4), (2, 2, 4)]),
    "transformer's width": (lambda nn: nn.Transformer(4, 1, 1, 1, 4, batch_first=True),
                            [(2, 3, 3), (2, 2, 4)]),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_options(name: str) -> None:
    assert isinstance(agree(lambda lib: REFUSED[name](lib.nn)), Exception)


@pytest.mark.parametrize("name", REFUSED_INPUTS)
def test_refused_inputs(name: str) -> None:
    make, shapes = REFUSED_INPUTS[name]

    def program(lib: Any) -> Any:
        warnings.filterwarnings("ignore", "enable_nested_tensor")
        layer = make(lib.nn).double()
        return layer(*inputs(lib, shapes))

    assert isinstance(agree(program), Exception)


def test_batch_norm_without_running_statistics() -> None:
    def program(lib: Any) -> Any:
        plain = lib.nn.BatchNorm1d(3, track_running_stats=False)
        model = lib.nn.Sequential(lib.nn.BatchNorm1d(3), lib.nn.Sequential(plain)).double()
        same = lib.func.replace_all_batch_norm_modules_(model) is model
        return repr(model), list(model.state_dict()), model.eval()(numbers(lib, 4, 3)), same

    agree(program)


def test_state_dicts_of_old() -> None:
    def program(lib: Any) -> Any:
        layer = lib.nn.BatchNorm1d(3)
        state = {k: v + 1 for k, v in layer.state_dict().items() if not k.startswith("num")}
        told = str(layer.load_state_dict(state))
        return told, layer.state_dict()["num_batches_tracked"], layer.running_mean

    agree(program)

    def refused(lib: Any) -> Any:
        state = {"running_mean": lib.ones(3), "running_var": lib.ones(3)}
        return lib.nn.InstanceNorm1d(3).load_state_dict(state)

    assert isinstance(agree(refused), RuntimeError)


def test_channels_that_do_not_matter() -> None:
    agree(lambda lib: lib.nn.InstanceNorm1d(7)(numbers(lib, 2, 3, 4)))  # with a warning


def test_batch_norm_fused() -> None:
    def program(lib: Any) -> Any:
        utils, found = lib.nn.utils, []
        for layer, bn, fuse, shape in (
            (lib.nn.Conv2d(2, 3, 3), lib.nn.BatchNorm2d(3), utils.fuse_conv_bn_eval, (2, 2, 5, 5)),
            (
                lib.nn.Conv1d(2, 3, 3, bias=False),
                lib.nn.BatchNorm1d(3, affine=False),
                utils.fuse_conv_bn_eval,
                (2, 2, 5),
            ),
            (lib.nn.Linear(2, 3), lib.nn.BatchNorm1d(3), utils.fuse_linear_bn_eval, (4, 2)),
        ):
            layer, bn = layer.double(), bn.double()
            fill(lib, layer)
            fill(lib, bn)
            bn.running_mean.copy_(numbers(lib, 3, seed=5))
            bn.running_var.copy_(numbers(lib, 3, seed=6).exp())
            fused = fuse(layer.eval(), bn.eval())
            x = numbers(lib, *shape)
            found += [fused(x), bn(layer(x)), [p.requires_grad for p in fused.parameters()]]
        up = lib.nn.ConvTranspose1d(2, 3, 3).double().eval()
        fill(lib, up)
        bn = lib.nn.BatchNorm1d(3).double().eval()
        fill(lib, bn)
        return found, utils.fuse_conv_bn_eval(up, bn, transpose=True)(numbers(lib, 2, 2, 5))

    agree(program)
    refused = [
        lambda nn: nn.utils.fuse_conv_bn_eval(nn.Conv1d(1, 1, 1), nn.BatchNorm1d(1)),
        lambda nn: nn.utils.fuse_linear_bn_eval(nn.Linear(2, 3).eval(), nn.BatchNorm1d(2).eval()),
        lambda nn: nn.utils.fuse_conv_bn_eval(
            nn.Conv1d(1, 1, 1).eval(), nn.BatchNorm1d(1, track_running_stats=False).eval()
        ),
    ]
    for program in refused:
        assert isinstance(agree(lambda lib, p=program: p(lib.nn)), AssertionError)


def test_every_dense_layer_of_pytorch_is_there() -> None:
    # Old names, what needs several GPUs, and how PyTorch cuts a loss into pieces.
    elsewhere = {"Container", "NLLLoss2d", "DataParallel", "SyncBatchNorm"}
    elsewhere |= {"LinearCrossEntropyOptions"}
    missing = {
        name for name in torch.nn.modules.__all__ if not hasattr(devgrad.nn, name)
    } - elsewhere
    assert not missing
