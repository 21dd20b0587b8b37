"""``gradcheck`` and ``gradgradcheck``: right derivatives pass, each kind of wrong one does not."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from test_ops import DIFFERENTIABLE, Call, arrays_in, flat, lookup

import devgrad
from devgrad.autograd import gradcheck, gradgradcheck
from devgrad.autograd.gradcheck import GradcheckError

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is missing")
fast_or_slow = pytest.mark.parametrize("fast_mode", [False, True])

RNG = np.random.default_rng(3)


def some(*shape: int, complex: bool = False) -> np.ndarray:
    values = RNG.normal(size=shape)
    return values + 1j * RNG.normal(size=shape) if complex else values


def tensors(m: Any, arrays: Any) -> list[Any]:
    return [
        m.tensor(a.tolist(), dtype=m.complex128 if a.dtype.kind == "c" else m.float64)
        .reshape(a.shape)
        .requires_grad_()
        for a in arrays
    ]


def outcome(m: Any, check: str, function: Callable[..., Any], arrays: Any, **options: Any) -> Any:
    """True, or the kind and the first line of the error."""
    try:
        return getattr(m.autograd, check)(lambda *x: function(m, *x), tensors(m, arrays), **options)
    except Exception as error:
        return type(error).__name__, str(error).partition("\n")[0]


CASES: dict[str, tuple[Callable[..., Any], list[np.ndarray]]] = {
    "tanh": (lambda m, x: m.tanh(x), [some(3, 2)]),
    "two of each": (lambda m, x, y: (x * y, m.exp(x).sum()), [some(3), some(3)]),
    "complex": (lambda m, z: z * z, [some(3, complex=True)]),
    "complex to real": (lambda m, z: m.abs(z), [some(3, complex=True)]),
    "real to complex": (lambda m, x: x + 1j * x * x, [some(3)]),
    "mixed": (lambda m, z, x: (z * x, (x * x).sum()), [some(2, complex=True), some(2)]),
    "of several outputs": (lambda m, x: m.split(x * x, 2), [some(4, 2)]),
    "with an int output": (lambda m, x: m.max(x, 0), [some(3, 2)]),
    "scalar": (lambda m, x: x**3, [some()]),
    "empty": (lambda m, x: x * 2, [some(0)]),
    "unused": (lambda m, x, y: x * 2, [some(2), some(2)]),
    "detached": (lambda m, x: x.detach(), [some(2)]),
    "no derivative": (lambda m, x: (x > 0).double(), [some(2)]),
    "half detached": (lambda m, x: x * x.detach(), [some(2)]),
    "second of two": (lambda m, x: (x, x * x.detach()), [some(2)]),
    "half detached, complex": (lambda m, z: z * z.conj().detach(), [some(2, complex=True)]),
}


@needs_torch
@fast_or_slow
@pytest.mark.parametrize("case", CASES)
def test_gradcheck_judges_as_pytorchs(case: str, fast_mode: bool) -> None:
    ours = outcome(devgrad, "gradcheck", *CASES[case], fast_mode=fast_mode)
    assert ours == outcome(torch, "gradcheck", *CASES[case], fast_mode=fast_mode)


@needs_torch
@fast_or_slow
@pytest.mark.parametrize("case", [c for c in CASES if c not in ("detached", "no derivative")])
def test_gradgradcheck_judges_as_pytorchs(case: str, fast_mode: bool) -> None:
    ours = outcome(devgrad, "gradgradcheck", *CASES[case], fast_mode=fast_mode)
    theirs = outcome(torch, "gradgradcheck", *CASES[case], fast_mode=fast_mode)
    if theirs is True:
        assert ours is True
    else:
        # Which of several mismatches is met first is a matter of order.
        assert ours[0] == theirs[0] and "Jacobian mismatch for output" in ours[1]


def test_jacobians_are_in_the_message() -> None:
    x = devgrad.tensor([1.0, 2.0], dtype=devgrad.float64, requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda x: x * x.detach(), x)
    text = str(caught.value)
    assert text.startswith("Jacobian mismatch for output 0 with respect to input 0,\nnumerical:")
    assert "[2.0000, 0.0000]" in text.partition("analytical:")[0]
    assert "[1., 0.]" in text.partition("analytical:")[2]
    with pytest.raises(GradcheckError, match="in fast mode") as caught:
        gradcheck(lambda x: x * x.detach(), x, fast_mode=True)
    assert "The max per-element difference (slow mode) is: 2.0" in str(caught.value)
    assert gradcheck(lambda x: x * x.detach(), x, raise_exception=False) is False


def hooked(x: Any, hook: Callable[[Any], Any]) -> Any:
    y = x * 1
    y.register_hook(hook)
    return y


def test_a_backward_that_ignores_its_gradient_is_found() -> None:
    x = devgrad.tensor([0.5], dtype=devgrad.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(lambda x: hooked(x, devgrad.ones_like), x)


def test_a_backward_that_varies_is_found() -> None:
    x = devgrad.tensor([0.5, 1.0], dtype=devgrad.float64, requires_grad=True)
    noise = iter(range(1000))

    def vague(x: Any) -> Any:
        return hooked(x, lambda g: g + g.sign() * 1e-9 * next(noise))

    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(vague, x)
    assert gradcheck(vague, x, nondet_tol=1e-6)


def test_a_function_that_changes_its_shape_is_refused() -> None:
    x = devgrad.tensor([0.5, -0.5], dtype=devgrad.float64, requires_grad=True)

    def changing(x: Any) -> Any:
        return x[: 2 if x[0].item() <= 0.5 else 1]

    with pytest.raises(AssertionError, match="return outputs with the same shape"):
        gradcheck(changing, x)
    assert x.tolist() == [0.5, -0.5]  # put back


def test_inputs_are_as_before() -> None:
    x = devgrad.tensor([0.3, 0.7], dtype=devgrad.float64, requires_grad=True)
    z = devgrad.tensor([0.3 + 1j], dtype=devgrad.complex128, requires_grad=True)
    before = x.tolist(), z.tolist(), devgrad.get_rng_state().tolist()
    for fast_mode in (False, True):
        assert gradcheck(lambda x, z: x.exp() * z, (x, z), fast_mode=fast_mode)
        assert gradgradcheck(lambda x, z: x.exp() * z, (x, z), fast_mode=fast_mode)
    assert (x.tolist(), z.tolist(), devgrad.get_rng_state().tolist()) == before
    assert x.grad is None and z.grad is None


def test_non_leaf_and_strided_inputs() -> None:
    base = devgrad.tensor([[0.1, 0.2], [0.3, 0.4]], dtype=devgrad.float64, requires_grad=True)
    assert gradcheck(lambda x: x.exp(), (base * 1).t())
    with pytest.raises(RuntimeError, match="The 0th input has a dimension with stride 0"):
        gradcheck(lambda x: x.exp(), base[0].expand(3, 2))


@needs_torch
def test_refusals_are_pytorchs() -> None:
    def text_of(
        m: Any, check: str, dtype: str = "float64", grad: bool = True, **options: Any
    ) -> str:
        x = m.ones(2, dtype=getattr(m, dtype), requires_grad=grad)
        with pytest.raises((ValueError, AssertionError, RuntimeError)) as caught:
            getattr(m.autograd, check)(lambda x: x * 2, x, **options)
        return f"{caught.type.__name__}: {caught.value}"

    for check, options in (
        ("gradcheck", dict(grad=False)),
        ("gradcheck", dict(check_backward_ad=False)),
        (
            "gradcheck",
            dict(check_forward_ad=True, check_backward_ad=False, check_batched_grad=True),
        ),
        ("gradcheck", dict(check_batched_forward_grad=True)),
        ("gradgradcheck", dict(check_rev_over_rev=False)),
        ("gradgradcheck", dict(check_fwd_over_rev=True, check_rev_over_rev=False)),
    ):
        assert text_of(devgrad, check, **options) == text_of(torch, check, **options)
    x = devgrad.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double"):
        gradcheck(lambda x: x * 2, x, eps=1e-3, atol=1e-2)


# PyTorch's own forward mode starts with what PyTorch itself deprecates.
torchs_warning = pytest.mark.filterwarnings("ignore:`torch.jit.script.*:DeprecationWarning")


@needs_torch
@torchs_warning
@fast_or_slow
@pytest.mark.parametrize("case", [c for c in CASES if c != "detached"])  # torch: IndexError
def test_forward_mode_is_judged_as_pytorchs(case: str, fast_mode: bool) -> None:
    options = dict(fast_mode=fast_mode, check_forward_ad=True, check_backward_ad=False)
    ours = outcome(devgrad, "gradcheck", *CASES[case], **options)
    theirs = outcome(torch, "gradcheck", *CASES[case], **options)
    if case == "unused":  # PyTorch stumbles over the zero tangent
        assert ours is True
    else:
        assert ours == theirs


@pytest.mark.parametrize("case", ["tanh", "two of each", "complex", "mixed", "of several outputs"])
def test_forward_over_reverse(case: str) -> None:
    function, arrays = CASES[case]
    assert gradgradcheck(
        lambda *x: function(devgrad, *x), tensors(devgrad, arrays), check_fwd_over_rev=True
    )


def test_a_wrong_jvp_is_found() -> None:
    class Double(devgrad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return 2 * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return 2 * g

        @staticmethod
        def jvp(ctx: Any, t: Any) -> Any:
            return 3 * t

    x = devgrad.tensor([0.5, 1.0], dtype=devgrad.float64, requires_grad=True)
    assert gradcheck(Double.apply, x)
    for fast_mode in (False, True):
        with pytest.raises(GradcheckError, match="Jacobian computed with forward mode mismatch"):
            gradcheck(Double.apply, x, check_forward_ad=True, fast_mode=fast_mode)


def test_what_is_not_there_yet_says_so() -> None:
    x = devgrad.ones(2, dtype=devgrad.float64, requires_grad=True)
    with pytest.raises(NotImplementedError, match="vmap of forward mode"):
        gradcheck(devgrad.exp, x, check_forward_ad=True, check_batched_forward_grad=True)


def test_given_gradients_are_used() -> None:
    x = devgrad.tensor([0.4, 0.9], dtype=devgrad.float64, requires_grad=True)
    v = devgrad.tensor([1.5, -2.0], dtype=devgrad.float64, requires_grad=True)
    assert gradgradcheck(devgrad.exp, x, v)
    assert gradgradcheck(devgrad.exp, x, [v])
    assert gradgradcheck(devgrad.exp, x, gen_non_contig_grad_outputs=True)
    with pytest.raises(ValueError, match="no output of func requires grad"):
        gradgradcheck(lambda x: x.detach(), x)


def test_undefined_gradients() -> None:
    """An operation of several outputs is given None for those that nobody used."""
    x = devgrad.tensor([[0.4, 0.9], [0.1, 0.2]], dtype=devgrad.float64, requires_grad=True)

    def split(x: Any) -> Any:
        parts = devgrad.unbind(x * 1)
        kind = type(parts[0].grad_fn)

        class Needy(kind):  # type: ignore[misc,valid-type]
            __slots__ = ()

            def vjp(self, g: Any, edges: Any) -> Any:
                given = [part for part in g if part is not None]
                if len(given) < 2 and not given[0].any():
                    raise RuntimeError("cannot do without")
                return super().vjp(g, edges)

        parts[0].grad_fn.__class__ = Needy
        return parts

    assert gradcheck(devgrad.unbind, x)
    assert gradcheck(split, x, check_undefined_grad=False)
    with pytest.raises(GradcheckError, match="handle undefined output grads.*cannot do without"):
        gradcheck(split, x)


# --- every operation ------------------------------------------------------------------------------

# Samples of tests/op_samples at which the function has a kink or a jump.
NOT_SMOOTH = {
    ("aminmax", 1), ("atan2", 1), ("copysign", 1), ("mode", 0), ("mode", 1),
    ("pairwise_distance", 0), ("nn.functional.pairwise_distance", 0),
    ("masked.log_softmax", 0),  # -inf where masked
}  # fmt: skip


def small_samples(row: Any) -> Iterator[Any]:
    """The first two samples of an operation that can be checked."""
    for number, sample in itertools.islice(enumerate(row.samples()), 2):
        floats = [a for a in arrays_in((sample.args, sample.kwargs)) if a.dtype.kind in "fc"]
        precise = all(a.dtype.name in ("float64", "complex128") for a in floats)
        finite = all(np.isfinite(a).all() for a in floats)
        small = 0 < sum(a.size for a in floats) <= 40
        if precise and finite and small and (row.name, number) not in NOT_SMOOTH:
            yield sample


@pytest.mark.parametrize("row", DIFFERENTIABLE)
def test_every_operation_in_every_mode(row: Any, device: str) -> None:
    if device != "cpu":
        pytest.skip("tests/test_ops.py checks the operations on all devices")
    checked = 0
    for sample in small_samples(row):
        call = Call(devgrad, row, sample, grad=True)
        if not any(y.requires_grad for y in call.run()):
            continue
        place = {id(leaf): i for i, leaf in enumerate(call.leaves)}

        def function(*leaves: Any, call: Any = call, place: Any = place) -> Any:
            def given(x: Any) -> Any:
                if isinstance(x, devgrad.Tensor):
                    return leaves[place[id(x)]] if id(x) in place else x
                if isinstance(x, dict):
                    return {k: given(v) for k, v in x.items()}
                return type(x)(map(given, x)) if x.__class__ in (tuple, list) else x

            return tuple(flat(lookup(devgrad, row.name)(*given(call.args), **given(call.kwargs))))

        assert gradcheck(function, call.leaves, fast_mode=True, check_forward_ad=True)
        if row.second:
            assert gradgradcheck(function, call.leaves, fast_mode=True)
        checked += 1
    if not checked:
        pytest.skip("no small, smooth sample in double precision")


# What is checked in full, and to the second order.
POSITIVE = abs(some(3)) + 0.5
SMOOTH = {
    "exp": [some(3)],
    "log": [POSITIVE],
    "sin": [some(2, 2)],
    "sqrt": [POSITIVE],
    "sigmoid": [some(3)],
    "softmax": [some(2, 3)],
    "logsumexp": [some(2, 3)],
    "matmul": [some(2, 3), some(3, 2)],
    "mul": [some(3, complex=True), some(3)],
    "div": [some(3), POSITIVE],
    "cumsum": [some(2, 3)],
    "var": [some(5)],
    "prod": [some(4)],
    "atan2": [some(3), some(3)],
}


@fast_or_slow
@pytest.mark.parametrize("name", SMOOTH)
def test_operations(name: str, fast_mode: bool) -> None:
    rest = {"softmax": (1,), "logsumexp": (1,), "cumsum": (1,)}.get(name, ())
    inputs = tensors(devgrad, SMOOTH[name])

    def function(*x: Any) -> Any:
        return getattr(devgrad, name)(*x, *rest)

    assert gradcheck(function, inputs, fast_mode=fast_mode)
    assert gradgradcheck(function, inputs, fast_mode=fast_mode)


def test_the_phrases_of_a_mismatch() -> None:
    z = devgrad.tensor([0.5 + 1j], dtype=devgrad.complex128, requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(lambda z: z * z.conj().detach(), z)
    assert re.match(
        r"While considering the imaginary part of complex outputs only, Jacobian mismatch for "
        r"output 0 with respect to input 0,\nnumerical:tensor",
        str(caught.value),
    )
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda z: (z.detach() * 2).real, z)
