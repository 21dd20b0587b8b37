"""Modules, parameters and containers, compared with PyTorch's."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
from agreement import assert_agrees, torch

import devgrad

pytestmark = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


class Pickled(devgrad.nn.Module):
    """At the top of a module, so that it can be pickled."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = devgrad.nn.Parameter(devgrad.arange(3).float())
        self.register_buffer("mean", devgrad.ones(2))
        self.inner = devgrad.nn.Linear(2, 1)


def affine(lib: Any, n: int = 3, m: int = 2) -> Any:
    class Affine(lib.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = lib.nn.Parameter(lib.arange(n * m).view(m, n) / 10)
            self.bias = lib.nn.Parameter(lib.zeros(m))
            self.register_buffer("seen", lib.tensor(0))
            self.register_buffer("scratch", lib.ones(2), persistent=False)

        def forward(self, x: Any, scale: float = 1.0) -> Any:
            return (x @ self.weight.t() + self.bias) * scale

    return Affine()


def nested(lib: Any) -> Any:
    class Outer(lib.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = affine(lib)
            self.rest = lib.nn.ModuleList([affine(lib, 2, 2), affine(lib, 2, 1)])
            self.none = None
            self.register_parameter("absent", None)
            self.register_buffer("empty", None)

        def forward(self, x: Any) -> Any:
            x = self.first(x)
            for layer in self.rest:
                x = layer(x)
            return x

    return Outer()


# --- parameters -----------------------------------------------------------------------------------


def test_parameter_is_a_tensor_that_requires_grad() -> None:
    def program(lib: Any) -> Any:
        x = lib.tensor([[1.0, 2.0], [3.0, 4.0]])
        p = lib.nn.Parameter(x)
        with lib.no_grad():
            p.add_(1)  # shares memory
        frozen = lib.nn.Parameter(lib.ones(1), requires_grad=False)
        result = p * 2
        return (
            isinstance(p, lib.Tensor), type(result) is lib.Tensor, p.requires_grad, p.is_leaf,
            repr(p), repr(frozen), x, type(p.data) is lib.Tensor, lib.nn.Parameter().shape,
            str(result.grad_fn is not None), p.detach().requires_grad,
        )  # fmt: skip

    assert_agrees(program)


@pytest.mark.parametrize("data", [[1.0], None, 3])
def test_parameter_of_what_is_no_tensor(data: Any) -> None:
    assert_agrees(lambda lib: lib.nn.Parameter(data).shape)


def test_parameter_of_integers_is_refused() -> None:
    assert_agrees(lambda lib: lib.nn.Parameter(lib.arange(3)))
    assert_agrees(lambda lib: lib.nn.Parameter(lib.arange(3), requires_grad=False))


def test_parameter_copies() -> None:
    def program(lib: Any) -> Any:
        p = lib.nn.Parameter(lib.ones(2), requires_grad=False)
        p.note = "kept"
        q = copy.deepcopy(p)
        with lib.no_grad():
            q.zero_()
        again = pickle.loads(pickle.dumps(p))
        return p, q, type(q) is lib.nn.Parameter, type(again) is lib.nn.Parameter, again

    assert_agrees(program)


def test_buffer_class() -> None:
    def program(lib: Any) -> Any:
        m = lib.nn.Module()
        m.a = lib.nn.Buffer(lib.ones(2))
        m.b = lib.nn.Buffer(lib.ones(2), persistent=False)
        before = isinstance(m.a, lib.nn.Buffer), type(m.a) is lib.Tensor
        m.a = lib.zeros(1)  # by now the name is a buffer's
        return before, list(m.state_dict()), [n for n, _ in m.named_buffers()], m.a

    assert_agrees(program)


# --- registration ---------------------------------------------------------------------------------


def test_registration_and_going_through() -> None:
    def program(lib: Any) -> Any:
        m = nested(lib)
        return {
            "parameters": [n for n, _ in m.named_parameters()],
            "own": [n for n, _ in m.named_parameters(recurse=False)],
            "prefixed": [n for n, _ in m.named_parameters(prefix="p")],
            "buffers": [n for n, _ in m.named_buffers()],
            "modules": [n for n, _ in m.named_modules()],
            "children": [n for n, _ in m.named_children()],
            "state": list(m.state_dict()),
            "count": sum(p.numel() for p in m.parameters()),
            "found": [
                m.get_parameter("rest.1.weight").shape, m.get_buffer("first.seen").shape,
                m.get_submodule("rest.0") is m.rest[0], m.get_submodule("") is m,
            ],
            "types": [type(x).__name__ for x in m.modules()],
            "dir": [n for n in ("first", "absent", "empty", "training") if n in dir(m)],
        }  # fmt: skip

    assert_agrees(program)


def test_shared_modules_and_parameters_come_once() -> None:
    def program(lib: Any) -> Any:
        a = affine(lib)
        m = lib.nn.Sequential(a, a)
        b = affine(lib)
        b.weight = a.weight
        m.append(b)
        return (
            [n for n, _ in m.named_parameters()],
            [n for n, _ in m.named_parameters(remove_duplicate=False)],
            [n for n, _ in m.named_modules(remove_duplicate=False)],
            list(m.state_dict()), len(list(m.children())),
        )  # fmt: skip

    assert_agrees(program)


def test_assigning_changes_what_a_name_means() -> None:
    def program(lib: Any) -> Any:
        m = lib.nn.Module()
        seen = []

        def look() -> None:
            seen.append((list(m._parameters), list(m._buffers), list(m._modules), "x" in vars(m)))

        for value in (
            1, lib.nn.Parameter(lib.ones(1)), None, lib.nn.Parameter(lib.zeros(1)),
        ):  # fmt: skip
            m.x = value
            look()
        del m.x
        look()
        m.x = lib.nn.Module()
        look()
        m.x = None
        look()
        del m.x
        m.register_buffer("x", lib.ones(1))
        look()
        m.x = lib.nn.Parameter(lib.ones(1))
        look()
        m.y = lib.ones(1)  # a plain tensor is a plain attribute
        look()
        return seen

    assert_agrees(program)


REFUSED = {
    "tensor as parameter": lambda lib, m: setattr(m, "weight", lib.ones(1)),
    "number as module": lambda lib, m: setattr(m, "child", 1),
    "number as buffer": lambda lib, m: setattr(m, "seen", 1),
    "unknown attribute": lambda lib, m: m.unknown,
    "deleting the unknown": lambda lib, m: delattr(m, "weights") if False else m.nothing,
    "buffer twice": lambda lib, m: m.register_buffer("weight", None),
    "buffer with dot": lambda lib, m: m.register_buffer("a.b", None),
    "buffer without name": lambda lib, m: m.register_buffer("", None),
    "buffer no string": lambda lib, m: m.register_buffer(1, None),
    "buffer no tensor": lambda lib, m: m.register_buffer("n", 1),
    "parameter twice": lambda lib, m: m.register_parameter("seen", None),
    "parameter with dot": lambda lib, m: m.register_parameter("a.b", None),
    "parameter no string": lambda lib, m: m.register_parameter(1, None),
    "parameter no parameter": lambda lib, m: m.register_parameter("n", lib.ones(1)),
    "parameter computed": lambda lib, m: m.register_parameter("n", _computed(lib)),
    "module no module": lambda lib, m: m.add_module("n", 1),
    "module with dot": lambda lib, m: m.add_module("a.b", None),
    "module without name": lambda lib, m: m.add_module("", None),
    "module twice": lambda lib, m: m.add_module("weight", None),
    "module no string": lambda lib, m: m.add_module(1, None),
    "no such submodule": lambda lib, m: m.get_submodule("child.x"),
    "submodule no module": lambda lib, m: m.get_submodule("weight"),
    "no such parameter": lambda lib, m: m.get_parameter("child.x"),
    "parameter is a buffer": lambda lib, m: m.get_parameter("seen"),
    "buffer is a parameter": lambda lib, m: m.get_buffer("weight"),
    "no such buffer": lambda lib, m: m.get_buffer("x"),
    "set no name": lambda lib, m: m.set_submodule("", m),
    "set strictly": lambda lib, m: m.set_submodule("new", affine(lib), strict=True),
    "set over a parameter": lambda lib, m: m.set_submodule("weight", affine(lib)),
    "train by number": lambda lib, m: m.train(1),
    "to an integer dtype": lambda lib, m: m.to(lib.int64),
    "call without forward": lambda lib, m: m.child(1),
    "load no dict": lambda lib, m: m.load_state_dict([1]),
    "extra state": lambda lib, m: m.get_extra_state() if False else m.nope,
}


def _computed(lib: Any) -> Any:
    p = lib.nn.Parameter(lib.ones(1))
    with lib.enable_grad():
        p.data = p.data
    q = p * 1
    q.__class__ = lib.nn.Parameter if lib is torch else q.__class__
    return q if lib is torch else _disguised(q)


def _disguised(q: Any) -> Any:
    p = devgrad.nn.Parameter(q.detach())
    p._edge = q._edge
    return p


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        m.child = lib.nn.Module()
        REFUSED[name](lib, m)

    assert isinstance(assert_agrees(program), Exception)


@pytest.mark.parametrize("kind", ["parameter", "module", "buffer"])
def test_assigning_before_init(kind: str) -> None:
    def program(lib: Any) -> Any:
        class Early(lib.nn.Module):
            def __init__(self) -> None:
                if kind == "parameter":
                    self.x = lib.nn.Parameter(lib.ones(1))
                elif kind == "module":
                    self.x = lib.nn.Module()
                else:
                    self.register_buffer("x", lib.ones(1))

        Early()

    assert isinstance(assert_agrees(program), AttributeError)


def test_arguments_of_init_are_refused() -> None:
    assert_agrees(lambda lib: lib.nn.Module(1))
    assert_agrees(lambda lib: lib.nn.Module(a=1))


def test_set_submodule() -> None:
    def program(lib: Any) -> Any:
        m = nested(lib)
        m.set_submodule("rest.0", lib.nn.Identity())
        m.set_submodule("new", lib.nn.Identity())
        return [n for n, _ in m.named_modules()], m

    assert_agrees(lambda lib: program(lib)[0])


# --- state dicts ----------------------------------------------------------------------------------


def test_state_dict_round_trip_and_metadata() -> None:
    def program(lib: Any) -> Any:
        m, n = nested(lib), nested(lib)
        with lib.no_grad():
            for p in m.parameters():
                p.mul_(3)
        state = m.state_dict()
        answer = n.load_state_dict(state)
        shared = state["first.bias"]
        with lib.no_grad():
            m.first.bias.add_(5)
        return (
            repr(answer), dict(n.state_dict()), dict(state._metadata), shared,
            [v.requires_grad for v in state.values()],
            [v.requires_grad for v in m.state_dict(keep_vars=True).values()],
            list(m.state_dict(prefix="p.")), n(lib.ones(2, 3)),
        )  # fmt: skip

    assert_agrees(program, rtol=1e-6)


@pytest.mark.parametrize("strict", [True, False])
def test_state_dict_that_does_not_fit(strict: bool) -> None:
    def program(lib: Any) -> Any:
        m = nested(lib)
        state = m.state_dict()
        del state["first.weight"], state["rest.1.bias"]
        state["first.other"] = lib.ones(1)
        state["foreign.x"] = lib.ones(1)
        if strict:
            state["rest.0.weight"] = lib.ones(7)
            state["rest.0.bias"] = "text"
        return repr(m.load_state_dict(state, strict=strict))

    assert_agrees(program)


def test_loading_casts_and_squeezes() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        state = {name: value.double() for name, value in m.state_dict().items()}
        state["seen"] = lib.tensor([7.0])
        m.load_state_dict(state)
        return m.seen, m.weight.dtype

    assert_agrees(program)


def test_loading_by_assignment() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        m.bias.requires_grad_(False)
        new = {"weight": lib.ones(2, 3).double(), "bias": lib.ones(2), "seen": lib.tensor(1)}
        m.load_state_dict(new, assign=True)
        return (
            type(m.weight) is lib.nn.Parameter, m.weight.dtype, m.weight.requires_grad,
            m.bias.requires_grad, m.seen is new["seen"],
        )  # fmt: skip

    assert_agrees(program)


def test_extra_state() -> None:
    def program(lib: Any) -> Any:
        class Extra(lib.nn.Module):
            note = "fresh"

            def get_extra_state(self) -> Any:
                return {"note": self.note}

            def set_extra_state(self, state: Any) -> None:
                self.note = state["note"]

        m, n = lib.nn.Sequential(Extra()), lib.nn.Sequential(Extra())
        m[0].note = "kept"
        state = m.state_dict()
        n.load_state_dict(state)
        del state["0._extra_state"]
        return n[0].note, repr(n.load_state_dict(state, strict=False))

    assert_agrees(program)


def test_state_dict_hooks() -> None:
    def program(lib: Any) -> Any:
        m = lib.nn.Sequential(affine(lib))
        log = []
        handles = [
            m[0].register_state_dict_pre_hook(lambda mod, p, k: log.append(("pre", p, k))),
            m[0].register_state_dict_post_hook(
                lambda mod, state, p, meta: state.update({p + "added": lib.ones(1)})
            ),
            m[0].register_load_state_dict_pre_hook(
                lambda mod, state, p, *rest: state.pop(p + "added") and None
            ),
            m.register_load_state_dict_post_hook(
                lambda mod, keys: keys.missing_keys.clear() or log.append("post")
            ),
        ]
        state = m.state_dict()
        keys = list(state)
        del state["0.bias"]
        answer = repr(m.load_state_dict(state))
        for handle in handles:
            handle.remove()
        return log, keys, answer, list(m.state_dict())

    assert_agrees(program)


def test_state_dict_hooks_that_return_something() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        m.register_state_dict_post_hook(lambda *args: {})
        return m.state_dict()

    assert_agrees(program)

    def loading(lib: Any) -> Any:
        m = affine(lib)
        m.register_load_state_dict_post_hook(lambda *args: 1)
        return m.load_state_dict(m.state_dict())

    assert_agrees(loading)


def test_state_dict_crosses_from_pytorch() -> None:
    theirs, ours = torch.nn.Linear(3, 2), devgrad.nn.Linear(3, 2)
    state = {k: devgrad.tensor(v.detach().numpy()) for k, v in theirs.state_dict().items()}
    ours.load_state_dict(state)
    np.testing.assert_array_equal(
        ours.weight.detach().cpu().numpy(), theirs.weight.detach().numpy()
    )


# --- changing all of it ---------------------------------------------------------------------------


def test_conversions_keep_parameters_and_gradients() -> None:
    def program(lib: Any) -> Any:
        m = nested(lib)
        m(lib.ones(1, 3)).sum().backward()
        before = [id(p) for p in m.parameters()]
        seen = []
        for convert in (
            lambda: m.double(), lambda: m.half(), lambda: m.to(lib.float64), lambda: m.float(),
            lambda: m.to("cpu"), lambda: m.to("cpu", lib.float64), lambda: m.to(lib.ones(1)),
            lambda: m.to(device="cpu", dtype=lib.float32), lambda: m.cpu(),
        ):  # fmt: skip
            assert convert() is m
            p = m.first.weight
            seen.append((p.dtype, p.grad.dtype, m.first.seen.dtype, p.requires_grad, p.is_leaf))
        m.type(lib.float64)
        return seen, m.first.seen.dtype, before == [id(p) for p in m.parameters()]

    assert_agrees(program)


def test_gradients_flow_after_conversion() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib).double()
        m(lib.ones(1, 3).double()).sum().backward()
        return m.weight.grad

    assert_agrees(program)


def test_train_eval_apply_freeze() -> None:
    def program(lib: Any) -> Any:
        m = nested(lib)
        order: list[str] = []
        assert m.eval() is m
        evaluated = [x.training for x in m.modules()]
        m.train()
        m.apply(lambda x: order.append(type(x).__name__))
        m.requires_grad_(False)
        frozen = [p.requires_grad for p in m.parameters()]
        return evaluated, [x.training for x in m.modules()], order, frozen

    assert_agrees(program)


@pytest.mark.parametrize("to_none", [True, False])
def test_zero_grad(to_none: bool) -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        m(lib.ones(1, 3)).sum().backward()
        kept = m.weight.grad
        m.zero_grad(set_to_none=to_none)
        return m.weight.grad, m.bias.grad, kept

    assert_agrees(program)


# --- calling and hooks ----------------------------------------------------------------------------


def test_forward_hooks() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        log: list[Any] = []
        x = lib.ones(1, 3)
        results = [m(x)]
        handles = [
            m.register_forward_pre_hook(lambda mod, args: log.append("pre") or args[0] * 2),
            m.register_forward_pre_hook(
                lambda mod, args, kwargs: (args, {"scale": kwargs.get("scale", 1) * 10}),
                with_kwargs=True,
            ),
            m.register_forward_pre_hook(lambda mod, args: log.append("first"), prepend=True),
            m.register_forward_hook(lambda mod, args, out: log.append("post") or out + 1),
            m.register_forward_hook(
                lambda mod, args, kwargs, out: log.append(sorted(kwargs)), with_kwargs=True
            ),
        ]
        results += [m(x), m(x, scale=3)]
        handles[1].remove()
        handles[1].remove()
        results.append(m(x))
        with handles[3]:
            pass
        results.append(m(x))
        return log, results

    assert_agrees(program, rtol=1e-6)


def test_forward_hooks_of_every_module() -> None:
    def program(lib: Any) -> Any:
        every = lib.nn.modules.module
        log: list[str] = []
        handles = [
            every.register_module_forward_pre_hook(
                lambda mod, args: log.append("pre " + type(mod).__name__)
            ),
            every.register_module_forward_hook(
                lambda mod, args, out: log.append("post " + type(mod).__name__)
            ),
            every.register_module_full_backward_hook(
                lambda mod, inputs, outputs: log.append("back " + type(mod).__name__)
            ),
        ]
        m = lib.nn.Sequential(affine(lib), lib.nn.Identity())
        m(lib.ones(1, 3, requires_grad=True)).sum().backward()
        for handle in handles:
            handle.remove()
        m(lib.ones(1, 3))
        return log

    assert_agrees(program)


def test_registration_hooks_of_every_module() -> None:
    def program(lib: Any) -> Any:
        every = lib.nn.modules.module
        log: list[str] = []
        handles = [
            every.register_module_parameter_registration_hook(
                lambda mod, name, p: log.append("p " + name)
            ),
            every.register_module_buffer_registration_hook(
                lambda mod, name, b: log.append("b " + name)
            ),
            every.register_module_module_registration_hook(
                lambda mod, name, m: log.append("m " + name)
            ),
        ]
        nested(lib)
        for handle in handles:
            handle.remove()
        affine(lib)
        return log

    assert_agrees(program)


def test_hooks_that_are_always_called() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        log = []
        m.register_forward_hook(lambda *args: log.append("always"), always_call=True)
        m.register_forward_hook(lambda *args: log.append("else"))
        try:
            m("no tensor")
        except Exception:
            log.append("failed")
        m(lib.ones(1, 3))
        return log

    assert_agrees(program)


def test_bad_forward_pre_hook() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        m.register_forward_pre_hook(lambda mod, args, kwargs: 1, with_kwargs=True)
        m(lib.ones(1, 3))

    assert isinstance(assert_agrees(program), RuntimeError)


def test_full_backward_hooks() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        log: list[Any] = []
        m.register_full_backward_hook(
            lambda mod, inputs, outputs: log.append((list(inputs), list(outputs)))
        )
        handle = m.register_full_backward_hook(lambda mod, i, o: (i[0] * 100, *i[1:]))
        x = lib.ones(1, 3, requires_grad=True)
        y = m(x)
        name = type(y.grad_fn).__name__
        y.sum().backward()
        handle.remove()
        pre = m.register_full_backward_pre_hook(lambda mod, outputs: (outputs[0] * 5,))
        m(x).sum().backward()
        pre.remove()
        m(x * 2).sum().backward()
        with lib.no_grad():
            m(x)
        return log, x.grad, m.weight.grad, name

    assert_agrees(program, rtol=1e-6)


def test_full_backward_hook_without_inputs_that_require_grad() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        log: list[Any] = []
        m.register_full_backward_hook(lambda mod, i, o: log.append((list(i), list(o))))
        m(lib.ones(1, 3)).sum().backward()
        return log, m.weight.grad

    assert_agrees(program)


def test_full_backward_hook_of_several_inputs_and_outputs() -> None:
    def program(lib: Any) -> Any:
        class Two(lib.nn.Module):
            def forward(self, a: Any, n: int, b: Any) -> Any:
                return a * b, (a + b) * n

        m = Two()
        log: list[Any] = []
        m.register_full_backward_hook(lambda mod, i, o: log.append((list(i), list(o))))
        a, b = lib.ones(2, requires_grad=True), lib.full((2,), 3.0, requires_grad=True)
        first, second = m(a, 2, b)
        (first.sum() + 7 * second.sum()).backward()
        m(a, 2, b)[1].sum().backward()  # one of the outputs only
        return log, a.grad, b.grad

    assert_agrees(program)


@pytest.mark.parametrize("what", ["hook", "pre", "without"])
def test_backward_hooks_that_return_nonsense(what: str) -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        if what == "pre":
            m.register_full_backward_pre_hook(lambda mod, o: (o[0], o[0]))
        else:
            m.register_full_backward_hook(lambda mod, i, o: (o[0], o[0]))
        m(lib.ones(1, 3, requires_grad=what != "without")).sum().backward()

    assert isinstance(assert_agrees(program), RuntimeError)


def test_kinds_of_backward_hooks_do_not_mix() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        m.register_backward_hook(lambda mod, i, o: None)
        m.register_full_backward_hook(lambda mod, i, o: None)

    assert isinstance(assert_agrees(program), RuntimeError)


def test_second_derivative_through_backward_hooks() -> None:
    def program(lib: Any) -> Any:
        m = affine(lib)
        m.register_full_backward_hook(lambda mod, i, o: (i[0] * 2,))
        x = lib.full((1, 3), 2.0, requires_grad=True)
        (g,) = lib.autograd.grad((m(x) ** 2).sum(), x, create_graph=True)
        return g, lib.autograd.grad(g.sum(), x)

    assert_agrees(program, rtol=1e-6)


# --- text, pickles, memory ------------------------------------------------------------------------


def test_printing() -> None:
    def program(lib: Any) -> Any:
        nn = lib.nn

        class Many(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.a = nn.Linear(3, 4, bias=False)
                self.b = nn.Sequential(OrderedDict(x=nn.Identity(), y=nn.Flatten(0)))
                self.c = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.Identity()])
                self.d = nn.ModuleDict({"k": nn.Unflatten(1, (2, 2))})
                self.e = None
                self.f = nn.ParameterList([lib.ones(2, 3), 5])
                self.g = nn.ParameterDict({"p": lib.ones(2), "n": None})
                self.h = nn.Bilinear(1, 2, 3)
                self.register_module("i", None)

            def extra_repr(self) -> str:
                return "one=1,\ntwo=2"

        return repr(Many()), repr(nn.Module()), repr(nn.ModuleList()), repr(nn.Sequential())

    assert_agrees(program)


def test_pickling_and_copying() -> None:
    m = Pickled()
    m.weight.requires_grad_(False)
    again = pickle.loads(pickle.dumps(m))
    assert repr(again) == repr(m)
    assert list(again.state_dict()) == list(m.state_dict())
    assert [p.requires_grad for p in again.parameters()] == [False, True, True]
    other = copy.deepcopy(m)
    with devgrad.no_grad():
        other.inner.weight.add_(1)
    assert not (other.inner.weight == m.inner.weight).any()


def test_deepcopy_keeps_shared_parameters_shared() -> None:
    def program(lib: Any) -> Any:
        m = lib.nn.Sequential(affine(lib), affine(lib))
        m[1].weight = m[0].weight
        n = copy.deepcopy(m)
        return n[0].weight is n[1].weight, n[0].weight is m[0].weight

    assert_agrees(program)


def test_a_module_goes_with_its_last_name() -> None:
    m = nested(devgrad)
    m.register_forward_hook(lambda *args: None)
    handle = m.register_full_backward_hook(lambda *args: None)
    m(devgrad.ones(1, 3, requires_grad=True)).sum().backward()
    reference = weakref.ref(m)
    gc.disable()
    try:
        del m
        assert reference() is None
    finally:
        gc.enable()
    handle.remove()
