"""Wrong calls: the error is PyTorch's, told by its type and the beginning of its phrase.

PyTorch is the oracle. What is asked of every refused call besides: nothing has changed - no value,
no version, no gradient, no history -, and no name of ours that is not public shows.
"""

from __future__ import annotations

import copy
import importlib
import itertools
import operator
import pkgutil
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import op_samples
import pytest

import devgrad
from devgrad.ops import FUNCTIONS, OPS

devgrad.ops.load_all()  # families that are imported when first asked for

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


class Given:
    """What the calls below are made with; the same for either library."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib
        self.x = lib.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
        self.v = lib.tensor([1.0, 2.0, 3.0])
        self.i = lib.tensor([1, 2, 0])
        self.b = lib.tensor([True, False, True])
        self.s = lib.tensor(2)
        self.m = lib.tensor([[2.0, 1.0], [1.0, 3.0]])
        self.w = lib.tensor([1.0, 2.0, 3.0], requires_grad=True)
        self.a = np.ones(3)
        self.obj = Unknown()

    def tensors(self) -> dict[str, Any]:
        return {k: t for k, t in vars(self).items() if hasattr(t, "requires_grad")}

    def state(self) -> dict[str, Any]:
        """Everything about the tensors that a refused call must leave alone."""
        return {
            name: (
                t.detach().tolist(), tuple(t.shape), t._version, t.requires_grad, t.is_leaf,
                t.grad, t.grad_fn, str(t.dtype),
            )
            for name, t in self.tensors().items()
        }  # fmt: skip


class Unknown:
    """Something that no function expects."""

    def __repr__(self) -> str:
        return "Unknown()"


def raised(lib: Any, call: Callable[[Any], Any]) -> Exception | None:
    """The error of a call; None if there is none. Checks that nothing was changed by it."""
    given = Given(lib)
    before = given.state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(given)
        except Exception as error:
            assert given.state() == before, f"the refused call has changed something: {error}"
            return error
    return None


# PyTorch's parser of arguments: what differs from one signature to several, from C++ to Python,
# or from a function to a method, is no part of what the user is told.
_OVERLOADS = "received an invalid combination of arguments"
_ARGUMENT = re.compile(r"(\w+)\(\): argument '\w+'( \(position \d+\))? (must be|failed to)")
_CALL = re.compile(
    r"(takes|missing|got an unexpected keyword|got multiple values|expected \d+ argument|"
    r"must specify|received an invalid combination|failed to unpack)"
)


def parsed(error: Exception) -> bool:
    """Whether it is an error about the arguments of a call as such."""
    text = str(error)
    return isinstance(error, TypeError) and bool(_ARGUMENT.match(text) or _CALL.search(text))


def phrase(error: Exception) -> str:
    """The part of PyTorch's message that ours has to begin with."""
    text = str(error).split("\n")[0].partition("  (Could this error message be improved?")[0]
    text = text.rstrip(". ")
    return re.sub(r" \(position \d+\)", "", text)


def check(call: Callable[[Any], Any], what: str, words: bool = True) -> None:
    """That a call is refused by both libraries in the same way."""
    expected = raised(torch, call)
    assert expected is not None, f"PyTorch accepts {what}"
    got = raised(devgrad, call)
    assert got is not None, f"{what} is accepted; in PyTorch {expected!r}"
    assert type(got) is type(expected), f"{what}: {got!r}, in PyTorch {expected!r}"
    if not words:
        return
    mine = re.sub(r" \(position \d+\)", "", str(got))
    if parsed(expected):
        assert parsed(got), f"{what}: {got!r}, in PyTorch {expected!r}"
        if _OVERLOADS in str(expected) or _OVERLOADS in mine:
            return
        wanted = phrase(expected)
        named = re.match(r"\w+\(\): argument '\w+' must be ", wanted)
        if named:  # "must be Tensor, not str", where ours may say "Number" for the same parameter
            wanted = named.group().removesuffix(" must be ")
        elif _CALL.search(wanted):
            return
        assert mine.startswith(wanted), f"{what}: {got!r}, in PyTorch {expected!r}"
    else:
        assert mine.startswith(phrase(expected)), f"{what}: {got!r}, in PyTorch {expected!r}"


CALLS = """
x.copy_([1.0])
x.copy_("a")
x.copy_(None)
x.copy_(x, 1)
x.copy_(v[:2])
x.fill_("a")
x.fill_(None)
x.fill_([1])
x.fill_(v)
x.zero_(1)
x.reshape("a")
x.reshape()
x.reshape(2.0, 3)
x.reshape([2, "a"])
x.reshape(7)
x.reshape(-1, -1)
x.view(2.0, 2)
x.view()
x.view("a")
x.view(None)
x.view(4, 2)
x.view(dtype="a")
x.split("a")
x.split(1.5)
x.split([1, "a"], 1)
x.split([1, 5])
x.chunk("a")
x.chunk(0)
x.squeeze("a")
x.squeeze(1.5)
x.squeeze(5)
x.squeeze((0, 0))
x.unsqueeze("a")
x.unsqueeze(True)
x.unsqueeze(1.0)
x.unsqueeze()
x.unsqueeze(9)
x.transpose("a", 0)
x.transpose(0)
x.transpose(0, 1, 2)
x.transpose(0, 5)
x.permute("a")
x.permute(0)
x.permute(0, 0)
x.permute(0, 1.5)
x.expand("a")
x.expand(3)
x.expand(4, 3)
x.flip("a")
x.flip(0, 0)
x.flip(5)
x.roll("a")
x.roll(1, "a")
x.roll((1, 2), 0)
x.repeat("a")
x.repeat(2)
x.tile("a")
x.narrow("a", 0, 1)
x.narrow(0, 1, 9)
x.select(0, "a")
x.select(0, 9)
x.select(9, 0)
x.unfold(0, 9, 1)
x.size("a")
x.size(5)
x.size(1.5)
x.stride("a")
x.stride(5)
x.sum("a")
x.sum(1.5)
x.sum(True)
x.sum(5)
x.sum((0, 0))
x.sum(0, keepdim="a")
x.sum(0, keepdim=1)
x.sum(dtype="a")
x.sum(foo=1)
x.mean("a")
x.mean(5)
i.mean()
x.prod("a")
x.prod(0, keepdim=1)
x.amax("a")
x.amax((0, 0))
x.max("a")
x.max(0, keepdim=1)
x.min(5)
x.argmax("a")
x.var("a")
x.var(correction="a")
x.std(5)
x.cumsum()
x.cumsum("a")
x.cumsum(5)
x.cumprod(0, dtype="a")
x.softmax("a")
x.softmax(5)
x.log_softmax(1.5)
x.sort("a")
x.sort(5)
x.topk("a")
x.topk(9)
x.kthvalue(9)
x.median("a")
x.add("a")
x.add(None)
x.add([1])
x.add(obj)
x.add()
x.add(1, 2, 3)
x.add(1, foo=2)
x.add(1, alpha="a")
i.add(1, alpha=1.5)
x.add(m)
x.add(a)
x.add_("a")
x.add_(m)
i.add_(1.5)
x.mul("a")
x.mul_(None)
x.sub("a")
b.sub(1)
b - b
-b
x.div("a")
x.div(1, rounding_mode="a")
x.pow("a")
x.pow_("a")
i.pow(-1)
x.fmod("a")
x.remainder("a")
x.clamp("a")
x.clamp()
x.clamp(1, "a")
x.lerp(x, "a")
x.lerp(1, 0.5)
x.addcmul(x, 1)
x.addcmul(x, x, value="a")
x.masked_fill(x > 0, "a")
x.masked_fill(b, v)
x.masked_select("a")
x.where("a", x)
x.gather("a", i)
x.gather(0, "a")
x.gather(5, i)
x.gather(0, v)
x.index_select(0, "a")
x.index_select(0, v)
x.index_select(5, i)
x.index_select(0, lib.tensor([9]))
x.index_add(0, i, v)
x.index_fill(0, i, "a")
x.scatter(0, i, "a")
x.scatter(0, "a", 1.0)
x.scatter_add(0, i, 1)
x.take("a")
x.take(lib.tensor([99]))
x.matmul("a")
x.matmul(1)
x.matmul(x)
x.mm("a")
x.mm(v)
x.mm(x)
x.bmm(x)
x.dot(x)
v.dot(v.double())
v.dot(m)
x.addmm(x, "a")
x.tril("a")
v.tril()
x.diagonal("a")
x.diagonal(0, 0, 0)
x.diag("a")
x.trace("a")
v.trace()
x.flatten("a")
x.flatten(1, 0)
x.unflatten(0, "a")
x.unflatten(0, (3, 3))
x.unbind("a")
x.unbind(5)
x.to("a")
x.to([1])
x.to(x, x, x, x, x)
x.to(foo=1)
x.type(1.5)
x.type_as("a")
x.float(1)
x.contiguous(1)
x.contiguous(memory_format=1)
x.contiguous(memory_format=lib.channels_last)
x.clone(1)
x.clone(memory_format=1)
x.item()
int(x)
float(x)
complex(x)
bool(x)
range(9)[v]
[1, 2][x]
len(s)
iter(s)
"a" in x
x["a"]
x[1.5]
x[9]
x[0, 0, 0]
x[::-1]
x["a":]
x[v]
x[lib.tensor([9])]
x[b]
x[None][5]
operator.setitem(x, 9, 1)
operator.setitem(x, 0, "a")
operator.setitem(x, 0, v[:2])
operator.delitem(x, 0)
x + "a"
"a" + x
x + None
None - x
None / x
None // x
None ** x
x ** None
x ** "a"
x % "a"
x // None
x @ None
1 @ x
x @ 1
x < "a"
None <= x
x & x
x & 1
1.5 & i
i | 1.5
x ^ "a"
x << 1
i >> 1.5
~x
operator.iand(x, x)
x.requires_grad_("no")
x.requires_grad_(1)
setattr(x, "requires_grad", "no")
i.requires_grad_()
setattr(x, "grad", 1)
setattr(x, "grad", v)
setattr(x, "data", 1)
x.backward()
w.backward()
x.register_hook(print)
x.retain_grad()
x.numpy("a")
w.numpy()
x.tolist(1)
w.add_(1)
w.zero_()
w[0].mul_(2)
w.copy_(v)
x.uniform_("a")
x.uniform_(2.0, 1.0)
x.normal_("a")
x.normal_(0.0, -1.0)
x.random_("a")
x.random_(5, 1)
x.bernoulli_("a")
x.exponential_(-1.0)
x.geometric_()
x.geometric_("a")
x.geometric_(2.0)
x.uniform_(foo=1)
x.uniform_(generator=3)
x.new_zeros("a")
x.new_full((2,), "a")
x.new_tensor("a")
x.resize_("a")
w.resize_(2)
lib.add("a", x)
lib.mul(x)
lib.maximum(x, 1.25)
lib.maximum(1.25, x)
lib.logical_and(x, True)
lib.atan2(x, 1.5)
lib.eq(1.5, x)
lib.pow(2, 3)
lib.where(x, x, x)
lib.where(x > 0, "a", x)
lib.where(1, x, x)
lib.cat([])
lib.cat((x, 1))
lib.cat((x, x), "a")
lib.cat((x, v))
lib.cat((x, x), 5)
lib.stack([])
lib.stack([x, None])
lib.stack([x, v])
lib.hstack(3)
lib.vstack(["a"])
lib.meshgrid(3)
lib.meshgrid(v, v, indexing="a")
lib.block_diag(1)
lib.cartesian_prod(v, "a")
lib.broadcast_tensors(v, 1)
lib.broadcast_tensors(v, m)
lib.einsum(1, x)
lib.einsum("ij")
lib.einsum("ij", x, x)
lib.tensordot(x, x, 5)
lib.outer(x, v)
lib.tril_indices("a", 2)
lib.tril_indices(2, 2, dtype="a")
lib.zeros("a")
lib.zeros(2.0)
lib.zeros(None)
lib.zeros(True)
lib.zeros()
lib.zeros(2, [3])
lib.zeros(-1)
lib.zeros((2, "a"))
lib.zeros(2, requires_grad="no")
lib.zeros(2, requires_grad=1)
lib.zeros(2, dtype="float32")
lib.zeros(2, dtype=lib.int64, requires_grad=True)
lib.zeros(2, device=1.5)
lib.zeros(2, layout="a")
lib.zeros(2, pin_memory="a")
lib.zeros(2, memory_format=lib.contiguous_format)
lib.zeros(2, foo=1)
lib.ones([1.5])
lib.empty("a")
lib.empty(2, 3, memory_format=lib.channels_last)
lib.full(2, 1.0)
lib.full((2,), "a")
lib.full((2,), None)
lib.full((2,), v)
lib.full((2,))
lib.zeros_like("a")
lib.zeros_like(x, dtype="a")
lib.full_like(x, "a")
lib.arange("a")
lib.arange()
lib.arange(None)
lib.arange(0, 5, 0)
lib.arange(5, 0)
lib.arange(0, "a")
lib.arange(3, dtype="a")
lib.linspace(0, 1, 2.5)
lib.linspace("a", 1, 2)
lib.linspace(0, 1)
lib.linspace(0, 1, -1)
lib.logspace(0, 1, "a")
lib.eye(2.5)
lib.eye(-1)
lib.eye(True)
lib.empty_strided((2,), "a")
lib.empty_strided((2, 3), (1,))
lib.tensor(None)
lib.tensor("a")
lib.tensor(["a"])
lib.tensor([None])
lib.tensor({})
lib.tensor(obj)
lib.tensor([1, [2]])
lib.tensor([[1], 2])
lib.tensor([[1], []])
lib.tensor([[1, 2], [3]])
lib.tensor(2**63)
lib.tensor([2**70])
lib.tensor(300, dtype=lib.uint8)
lib.tensor(float("nan"), dtype=lib.int64)
lib.tensor(1j, dtype=lib.float32)
lib.tensor([1, 2], requires_grad=True)
lib.tensor([1.0], requires_grad="no")
lib.tensor([1.0], dtype="a")
lib.tensor()
lib.from_numpy([1])
lib.from_numpy(1)
lib.from_numpy(a[::-1])
lib.frombuffer(b"abc", dtype=lib.float32)
lib.frombuffer(b"", dtype=lib.uint8)
lib.Tensor(True)
lib.Tensor("a")
lib.Tensor(1.5)
lib.rand("a")
lib.rand(2, generator=3)
lib.rand()
lib.randn(2, requires_grad="no")
lib.randint(0, 10, 3)
lib.randint(10.5, (2,))
lib.randint("a", (2,))
lib.randint(10)
lib.randint(5, 1, (2,))
lib.randperm("a")
lib.randperm(-1)
lib.randperm(True)
lib.normal("a", 1.0, (2,))
lib.normal(0.0, -1.0, (2,))
lib.normal(0.0, 1.0)
lib.bernoulli("a")
lib.bernoulli(m)
lib.multinomial([1.0], 1)
lib.multinomial(v, "a")
lib.multinomial(v, 9)
lib.multinomial(v, 1, "a")
lib.rand_like("a")
lib.randint_like(x, "a")
lib.manual_seed("a")
lib.Generator(1.5)
lib.device(1.5)
lib.device("a")
lib.device()
lib.device(None)
lib.device("cpu", "a")
lib.device("cuda", -1)
lib.promote_types(lib.float32, "a")
lib.promote_types(1, lib.float32)
lib.result_type("a", x)
lib.can_cast(lib.float32, "a")
lib.is_floating_point(3)
lib.is_complex("a")
lib.numel(3)
lib.finfo("a")
lib.finfo(lib.int64)
lib.iinfo("a")
lib.iinfo(lib.float32)
lib.set_default_dtype("a")
lib.set_default_dtype(lib.int64)
lib.set_num_threads(0)
lib.set_num_threads("a")
lib.is_nonzero(v)
lib.isin(1, 2)
lib.isin(b, b)
lib.complex(v, v.double())
lib.complex(i, i)
lib.complex(v, 1)
lib.polar(v, v.double())
lib.gcd(x, x)
lib.gcd(i, 2)
lib.lcm(v, v)
lib.frexp(i)
lib.ldexp(x, 2)
lib.linalg.norm(x, "a")
lib.linalg.norm(v, [1])
lib.autograd.grad(x.sum(), x)
lib.autograd.backward([w * 2])
copy.deepcopy(w * 2)
""".strip().split("\n")

# Refused with the same type of error; PyTorch's words are Python's, or print the whole tensor, or
# promise dtypes that there are not here.
OTHER_WORDS = """
operator.iadd(x, "a")
operator.imul(x, None)
operator.ipow(x, "a")
setattr(x, "_version", 1)
setattr(x, "shape", 1)
w.sum().backward("a")
lib.cat(3)
lib.stack(3)
lib.meshgrid(x)
lib.from_numpy(a.astype("U"))
lib.linalg.vector_norm("a")
lib.autograd.grad(1, w)
x.masked_fill(x, 1.0)
""".strip().split("\n")

# What never tells a user anything: the function did not expect the argument.
INSIDE = (AttributeError, KeyError, NameError, AssertionError, StopIteration, UnboundLocalError)

NAMES = {"operator": operator, "copy": copy}


@needs_torch
@pytest.mark.parametrize("text", [*CALLS, *OTHER_WORDS])
def test_wrong_call(text: str) -> None:
    code = compile(text, "<call>", "eval")

    def call(given: Given) -> Any:
        return eval(code, {**NAMES, **vars(given)})

    check(call, text, words=text in CALLS)


@pytest.mark.parametrize("text", [*CALLS, *OTHER_WORDS])
def test_wrong_call_without_the_oracle(text: str) -> None:
    error = raised(devgrad, lambda given: eval(text, {**NAMES, **vars(given)}))
    assert error is not None, "it is accepted"
    assert "devgrad." not in str(type(error)), "an exception of our own"
    assert text.startswith("setattr") or not isinstance(error, INSIDE), repr(error)
    hidden = {name for name in OPS if name not in FUNCTIONS[""] and "_" in name} - {"linalg_lu"}
    named = re.match(r"(\w+)\(\)", str(error))
    assert named is None or named[1] not in hidden or named[1] in _PYTORCHS_NAMES, repr(error)


_PYTORCHS_NAMES = ("linalg_vector_norm",)


@pytest.mark.parametrize("sign", ["+", "-", "*", "**", "//", "@"])
def test_an_array_is_not_replaced_by_a_tensor_behind_its_name(sign: str) -> None:
    for lib in (devgrad,) if torch is None else (torch, devgrad):
        array = np.ones((2, 2))
        scope = {"array": array, "x": lib.ones(2, 2)}
        with pytest.raises(TypeError):
            exec(f"array {sign}= x", scope)
        assert scope["array"] is array and array.tolist() == [[1.0, 1.0], [1.0, 1.0]]


# What looks wrong, and is right.
ACCEPTED = """
lib.tensor([[], [1]])
lib.tensor(range(3))
lib.tensor([1, 2], dtype=float)
lib.zeros(2, dtype=int)
lib.zeros(2, requires_grad=None)
lib.zeros(s)
lib.zeros(())
lib.full((s,), s)
lib.arange(s)
lib.add(2, x)
lib.pow(2.0, x)
lib.device("cuda", 1).index
lib.remainder(5, x)
x.sum(dtype=float)
x.sum(lib.tensor(0))
x.sum((lib.tensor(0), 1))
x.sum(axis=0, keepdims=True)
x.prod(axis=-1)
x.cumsum(axis=0)
x.argmax(axis=0)
x.unsqueeze(lib.tensor(0))
x.unsqueeze(np.int64(0))
x.add(1, alpha=lib.tensor(2))
x.clamp(lib.tensor(2), lib.tensor(3))
x.copy_(1.5)
x.to(float)
x.to(None)
x.view(np.int64(3), 2)
x.reshape(lib.tensor(3), 2)
x == "a"
x != None
x * np.float32(2)
np.float64(2) * x
""".strip().split("\n")


@needs_torch
@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    got, expected = (
        eval(text, {**NAMES, **vars(Given(lib)), "np": np}) for lib in (devgrad, torch)
    )
    if isinstance(expected, torch.Tensor):
        assert got.tolist() == expected.tolist() and str(got.dtype) == str(expected.dtype)
        assert tuple(got.shape) == tuple(expected.shape)
    else:
        assert got == expected


# --- every operation ------------------------------------------------------------------------------

WRONG: tuple[Any, ...] = ("a", None, 1.5, [1.5], [], {}, 99, True, Unknown())


def _rows() -> Iterator[Any]:
    for module in sorted(m.name for m in pkgutil.iter_modules(op_samples.__path__)):
        if not module.startswith("_"):
            yield from importlib.import_module(f"op_samples.{module}").ROWS


def _made(lib: Any, x: Any) -> Any:
    if isinstance(x, (np.ndarray, np.generic)):
        return lib.tensor(np.asarray(x))
    if isinstance(x, devgrad.dtype):
        return getattr(lib, x.name)
    if isinstance(x, dict):
        return {k: _made(lib, v) for k, v in x.items()}
    return type(x)(_made(lib, v) for v in x) if x.__class__ in (tuple, list) else x


def _outcome(lib: Any, row: Any, args: Any, kwargs: Any) -> Any:
    function = lib
    for part in row.name.split("."):
        function = getattr(function, part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*_made(lib, args), **_made(lib, kwargs))
        except Exception as error:
            return error


def _wrong_calls(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
    for position, wrong in itertools.product(range(len(args)), WRONG):
        yield (*args[:position], wrong, *args[position + 1 :]), kwargs
    for name, wrong in itertools.product(kwargs, WRONG):
        yield args, {**kwargs, name: wrong}
    for position in range(len(args)):
        yield args[:position], kwargs
    yield (*args, *["a"] * 9), kwargs
    yield args, {**kwargs, "no_such_parameter": 1}


@needs_torch
def test_no_operation_fails_from_the_inside() -> None:
    """Every operation of the table with each argument replaced by what it cannot be."""

    def stop(*_: Any) -> None:
        raise RuntimeError("took too long")

    signal.signal(signal.SIGALRM, stop)
    failures, count, seen = [], 0, set()
    for row in _rows():
        sample = row.samples()[0]
        key = row.name, len(sample.args), tuple(sample.kwargs)
        if key in seen:
            continue
        seen.add(key)
        method = row.name.startswith("Tensor.")
        for args, kwargs in _wrong_calls(sample.args, sample.kwargs):
            if method and (not args or not isinstance(args[0], np.ndarray)):
                continue  # a method of something else than a tensor
            signal.setitimer(signal.ITIMER_REAL, 5)
            got = _outcome(devgrad, row, args, kwargs)
            signal.setitimer(signal.ITIMER_REAL, 0)
            count += 1
            if type(got) in INSIDE or type(got).__module__.startswith(("numpy", "devgrad")):
                if not isinstance(got, Exception):
                    continue
                expected = _outcome(torch, row, args, kwargs)
                if type(expected) is not type(got):
                    shown = [a if np.ndim(a) == 0 else "array" for a in args[:6]]
                    failures.append(f"{row.name}{tuple(shown)} {list(kwargs)}: {got!r}")
    assert count > 2000
    assert not failures, "\n".join([f"{len(failures)} of {count}", *failures[:60]])


MIXED_DTYPES: list[Callable[[Any, Any, Any], Any]] = [
    lambda lib, f, d: f @ d,
    lambda lib, f, d: f @ f.long(),
    lambda lib, f, d: f @ d[0],
    lambda lib, f, d: f[None] @ d[None],
    lambda lib, f, d: lib.nn.functional.linear(d, f, f[0]),
    lambda lib, f, d: lib.nn.functional.linear(d[None], f, f[0]),
    lambda lib, f, d: lib.nn.functional.linear(f, f, d[0]),
    lambda lib, f, d: lib.addmm(f, f, d),
    lambda lib, f, d: lib.addmm(d, f, f),
    lambda lib, f, d: lib.addmv(d[0], f, f[0]),
    lambda lib, f, d: lib.baddbmm(f[None], d[None], f[None]),
    lambda lib, f, d: lib.nn.functional.conv2d(d[None, None], f[None, None], f[0, :1]),
    lambda lib, f, d: lib.nn.functional.conv1d(f[None].long(), f[None], f[0, :1]),
]


@needs_torch
@pytest.mark.parametrize("product", MIXED_DTYPES)
def test_a_product_of_mixed_dtypes_is_refused_in_pytorchs_words(product: Any) -> None:
    def refused(lib: Any) -> str:
        with pytest.raises(RuntimeError) as caught:
            product(lib, lib.ones(2, 2), lib.ones(2, 2, dtype=lib.float64))
        return str(caught.value)

    assert refused(devgrad).startswith(refused(torch))


def test_warnings_name_the_users_line() -> None:
    x, z = devgrad.ones(2, 3), devgrad.ones(2, dtype=devgrad.complex64)
    image = devgrad.ones(1, 1, 2, 2)
    functional = devgrad.nn.functional
    calls: list[Callable[[], Any]] = [
        lambda: devgrad.tensor(x),
        lambda: functional.softmax(x),
        lambda: functional.log_softmax(x),
        lambda: devgrad.nn.Softmax()(x),
        lambda: devgrad.meshgrid(x[0], x[1]),
        lambda: functional.upsample(image, scale_factor=2),
        lambda: functional.grid_sample(image, devgrad.zeros(1, 1, 1, 2)),
        lambda: functional.affine_grid(devgrad.ones(1, 2, 3), [1, 1, 2, 2]),
        lambda: z.float(),
        lambda: z.to(devgrad.float32),
        lambda: devgrad.ones(2).copy_(z),
        lambda: x[devgrad.ones(2, dtype=devgrad.uint8)],
    ]
    for call in calls:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        assert [(w.filename, w.lineno) for w in caught] == [
            (__file__, call.__code__.co_firstlineno)
        ]


def test_a_copy_by_tensor_is_named_where_the_gradient_is_missed() -> None:
    x = devgrad.ones((), requires_grad=True)
    with pytest.warns(UserWarning, match="To copy construct"):
        y = devgrad.tensor(x * 2)
    with pytest.raises(RuntimeError, match=r"does not require grad.*tensor\(\) cut it off at"):
        y.backward()
