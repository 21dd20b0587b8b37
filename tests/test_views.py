"""Views and changes in place, against PyTorch: values, history, gradients of two orders, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from placement import numpy_of, placed

import devgrad

torch = pytest.importorskip("torch")

# Each program makes leaves (L) and results (R).
PROGRAMS = """
x=leaf(2,3); y=x*2; v=y.view(3,2); v.mul_(3); R=[y,v]; L=[x]
x=leaf(2,3); y=x*2; v=y.t(); v.mul_(3); R=[y,v]; L=[x]
x=leaf(2,3); y=(x*2).t(); v=y.t().view(-1); v.mul_(3); R=[y,v]; L=[x]
x=leaf(2,3); z=leaf(3,2)*1; y=x.t()*z; v=y.t(); v.exp_(); R=[y,v]; L=[x]
x=leaf(2,3); y=x*2; v=y.select(0,1); v.copy_(leaf(3)); R=[y,v]; L=[x]
x=leaf(2,3); w=leaf(3); y=x*2; y.select(0,1).copy_(w); R=[y]; L=[x,w]
w=leaf(3); y=torch.zeros(2,3,dtype=torch.float64); y.select(0,1).copy_(w); y.select(1,0).mul_(w.select(0,0)); R=[y]; L=[w]
x=leaf(2,3); y=x*2; e=y.unsqueeze(0).expand(4,2,3); y.mul_(3); R=[e,y]; L=[x]
x=leaf(7); y=x*2; u=y.unfold(0,3,1); y.mul_(y.detach()+1); R=[u]; L=[x]
x=leaf(7); y=x*2; u=y.unfold(0,2,2); u.mul_(3); R=[u,y]; L=[x]
x=leaf(3,3); y=x*2; y.diagonal().mul_(5); R=[y]; L=[x]
x=leaf(3,3); y=x*2; d=y.diagonal(); d.fill_(1.); R=[y,d]; L=[x]
x=leaf(3,3); y=x*2; y.zero_(); R=[y]; L=[x]
x=leaf(3,3); y=x*2; y.narrow(0,1,2).zero_(); R=[y]; L=[x]
x=leaf(3,3); y=x*2; s=y.as_strided((2,2),(1,1)); R=[s]; L=[x]
x=leaf(3,3); y=x*2; s=y.as_strided((2,2),(3,1),1); s.mul_(3); R=[s,y]; L=[x]
x=leaf(3,3); y=(x*2).t(); s=y.as_strided((2,2),(3,1),1); s.mul_(3); R=[s,y]; L=[x]
x=leaf(3,3); y=x*2; s=y.narrow(0,1,2).as_strided((2,),(2,)); s.mul_(3); R=[s,y]; L=[x]
x=leaf(3,3); y=x*2; s=y.narrow(0,1,2).t().narrow(0,1,1).squeeze(0); s.mul_(3); R=[s,y]; L=[x]
x=leafc(3,3); y=x*2; y.real.mul_(3); R=[y]; L=[x]
x=leafc(3,3); w=leaf(3,3); y=x*2; y.imag.copy_(w); R=[y]; L=[x,w]
x=leaf(3,2); y=x*2; z=torch.view_as_complex(y); z.mul_(2+1j); R=[y]; L=[x]
x=leafc(3); y=x*2; r=torch.view_as_real(y); r.mul_(r.detach()); R=[y,r]; L=[x]
x=leaf(2,3); y=x*2; y.t_(); y.mul_(2); R=[y]; L=[x]
x=leaf(2,3); y=x*2; y.unsqueeze_(0); y.transpose_(0,2); y.squeeze_(); R=[y]; L=[x]
x=leaf(2,3); y=x*2; v=y.view(6); v.unsqueeze_(0); v.mul_(2); R=[y,v]; L=[x]
x=leaf(2,3); y=x*2; a,b=y.unbind(); a.mul_(2); R=[y]; L=[x]
x=leaf(4); y=x*2; a,b=y.split(2); b.add_(2); R=[y]; L=[x]
x=leaf(4); y=x*2; a,b=y.tensor_split(2); b.mul_(2); R=[y,a,b]; L=[x]
x=leaf(4); a,b=x.split(2); R=[b*b]; L=[x]
x=leaf(4,2); a,b=x.unbind(1); R=[b*b]; L=[x]
x=leaf(4); x.view(2,2).mul_(2); R=[x]; L=[x]
x=leaf(4); x.t_(); R=[x]; L=[x]
x=leaf(1); y=x.expand(3)*1; z=y.expand(2,3); z.mul_(2); R=[z]; L=[x]
x=leaf(2,3); y=x*1; z=y.expand(2,3); z.mul_(2); R=[y,z]; L=[x]
x=leaf(3); y=x.clone(); y.copy_(leaf(3).float()); R=[y]; L=[x]
x=leaf(3); w=leaf(1); y=x*x; y.copy_(w); R=[y]; L=[x,w]
x=leaf(3); y=x.float(); R=[y*y]; L=[x]
x=leaf(3); y=x.to(torch.complex128); R=[y*y]; L=[x]
x=leafc(3); y=x.to(torch.float64); R=[y*y]; L=[x]
x=leaf(3); y=x.to(torch.int64); R=[y]; L=[x]
x=leaf(3); y=(x*2); z=y.exp(); y.view(3,1).mul_(2); R=[z,y]; L=[x]
x=leaf(3); y=(x*2); z=y*y; y.view(3,1).mul_(2); R=[z]; L=[x]
x=leaf(3); w=leaf(1); y=x*2; y.fill_(w.squeeze()); R=[y]; L=[x,w]
x=leaf(2,2); y=x*2; y.fill_(leaf(2)); R=[y]; L=[x]
x=leaf(2,2); y=x*2; y.copy_(leaf(1,2,2)); R=[y]; L=[x]
x=leaf(2,3,4); y=x.permute(2,0,1)*1; v=y.permute(1,2,0).reshape(6,4); v.mul_(v.detach()); R=[y,v]; L=[x]
x=leaf(2,3,4); y=x.permute(2,0,1)*1; v=y.transpose(0,1).movedim(0,2).flatten(); v.mul_(2.); R=[y,v]; L=[x]
x=leaf(2,3); y=x*2; v=y.view(6); w=y.view(3,2); v.mul_(3); w.mul_(y.detach().view(3,2)); R=[v,w,y]; L=[x]
x=leaf(2,3); y=torch.zeros(2,3,dtype=torch.float64); v=y.view(6); v.mul_(2); y.add_(x); R=[v]; L=[x]
x=leaf(2,3); y=x*2; y.resize_(3); R=[y]; L=[x]
x=leaf(2,3); g=torch.no_grad(); g.__enter__(); x.t_(); x.unsqueeze_(0); g.__exit__(None,None,None); R=[x*x]; L=[x]
x=leaf(2,3); w=leaf(2); R=[torch.kron(x,w), torch.kron(w,x)]; L=[x,w]
""".strip().splitlines()  # noqa: E501


def outcome(lib: Any, program: str, second: bool) -> dict[str, Any] | str:
    """What the program computes with a library, or the error that it raises."""
    rng = np.random.default_rng(1)

    def leaf(*shape: int) -> Any:
        return placed(lib, rng.standard_normal(shape)).requires_grad_()

    def leafc(*shape: int) -> Any:
        both = rng.standard_normal((2, *shape))
        return placed(lib, both[0] + 1j * both[1]).requires_grad_()

    names: dict[str, Any] = {"torch": lib, "leaf": leaf, "leafc": leafc}
    found: dict[str, Any] = {}
    try:
        exec(program, names)
        total = 0
        for i, r in enumerate(names["R"]):
            found[f"result {i}"] = numpy_of(r)
            found[f"grad_fn {i}"] = str(r.grad_fn and type(r.grad_fn).__name__)
            factor = placed(lib, np.random.default_rng(5).standard_normal(tuple(r.shape)))
            part = (r * r * r.detach() * factor).sum() if second else (r * factor).sum()
            total = total + (part.real + 2 * part.imag if r.is_complex() else part)
        leaves = names["L"]
        grads = lib.autograd.grad(total, leaves, create_graph=second, allow_unused=True)
        if second:
            total = sum((g * g.detach()).abs().sum() for g in grads if g is not None)
            if isinstance(total, lib.Tensor) and total.requires_grad:
                more = lib.autograd.grad(total, leaves, allow_unused=True)
                grads = (*grads, *more)
        for i, g in enumerate(grads):
            found[f"gradient {i}"] = None if g is None else numpy_of(g)
    except RuntimeError as error:
        return str(error)
    return found


@pytest.mark.parametrize("second", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.filterwarnings("ignore:Casting complex values to real")
def test_in_place_on_views_as_in_torch(program: str, second: bool) -> None:
    theirs = outcome(torch, program, second)
    ours = outcome(devgrad, program, second)
    if isinstance(theirs, str):
        assert isinstance(ours, str), f"no error; in PyTorch {theirs}"
        assert ours[:40] == theirs[:40]
        return
    assert not isinstance(ours, str), ours
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        mine = ours[name]
        if isinstance(value, str):  # in place, PyTorch's t_ is TBackward1 where t is TBackward0
            assert mine.rstrip("0123456789") == value.split("::")[-1].rstrip("0123456789"), name
        elif value is None or mine is None:
            assert not np.any(mine if value is None else value), name
        else:
            np.testing.assert_allclose(mine, value, rtol=1e-6, err_msg=name)


# What is refused, in PyTorch's words. y: 2×3, v: 3, b: 5×2×3, w: 3×4, z: complex 2×3.
REFUSED = """
y.view(4,2)
y.t().view(-1)
y.view(-1,-1)
y.view(-1,0)
y.reshape(4,2)
y.permute(0,0)
y.permute(0)
y.permute(0,5)
y.unsqueeze(5)
y.expand(3,3)
y.expand(-1,2,3)
y.narrow(0,1,2)
y.narrow(0,0,-1)
y.select(0,5)
y.select(1,-4)
y.transpose(0,2)
y.split(0)
y.split(-1)
y.split([1,2])
y.split([1,-2])
y.chunk(0)
y.unfold(0,3,1)
y.unfold(0,1,0)
y.as_strided((3,3),(3,1))
y.as_strided((3,3),(3,1),-1)
y.as_strided((3,3),(-3,1))
y.as_strided((3,3),(3,))
b.t()
v.mT
v.H
b.H
b.diagonal(0,1,1)
y.movedim((0,1),(0,))
y.movedim((0,0),(0,1))
y.unflatten(1,(2,2))
y.unflatten(1,(-1,-1))
y.unflatten(1,())
y.flatten(1,0)
y.squeeze((0,0))
y.view(torch.float64)
y.t().view(torch.int64)
y.imag
torch.view_as_real(y)
torch.view_as_complex(y)
torch.view_as_complex(w.t())
y.mm(y)
y.mm(v)
v.mm(y)
y@y
y.mv(y)
y.mv(torch.ones(2))
v.dot(torch.ones(2))
v.dot(y)
v.dot(torch.ones(3).double())
y.mm(w.double())
y@w.double()
b.bmm(b)
b.bmm(y)
b.bmm(torch.ones(4,3,2))
b@torch.ones(4,3,2)
b@torch.ones(5,4,2)
b@y
v@torch.ones(2)
y@torch.ones(2)
torch.ones(2)@w
torch.ones(2)@b.mT
torch.tensor(1.)@y
torch.ones(2,2,dtype=torch.bool)@torch.ones(2,2,dtype=torch.bool)
torch.einsum('ij,jk->ik',y,y)
torch.einsum('ij,jk->iz',y,w)
torch.einsum('ijk',y)
torch.einsum('ij,jk',y)
torch.einsum('i2',y)
torch.einsum('ii',y)
torch.einsum('ij->ii',y)
torch.addmm(v,y,y)
torch.addmm(torch.ones(2),y,w)
torch.addmv(v,w.t(),v)
torch.inner(y,w)
torch.outer(y,v)
torch.tensordot(y,w,([0],[0]))
torch.linalg.multi_dot([y])
torch.nn.functional.linear(y,w)
torch.cat([y,w])
torch.cat([y,v])
torch.cat([])
torch.cat([y,y],5)
torch.cat([y,[1]])
torch.cat([torch.tensor(1.)])
torch.stack([y,w])
torch.stack([])
y.roll((1,2),0)
y.roll((1,2))
y.flip((0,0))
y.rot90(1,(0,0))
y.rot90(1,(0,5))
y.rot90(1,(0,))
y.repeat(2)
y.repeat_interleave(torch.tensor([1,2,3]),0)
y.repeat_interleave(torch.tensor([1,-2]),0)
torch.nn.functional.pad(y,(1,))
torch.nn.functional.pad(y,(1,1,1,1,1,1))
torch.nn.functional.pad(y,(3,1),'reflect')
torch.nn.functional.pad(y,(-2,-2))
torch.nn.functional.pad(b,(4,1),'circular')
torch.nn.functional.pad(y,(1,1),'mirror')
v.tril()
b.diag()
torch.meshgrid(v,w,indexing='ij')
torch.meshgrid(v,v,indexing='yx')
torch.block_diag(b)
torch.combinations(y)
torch.cartesian_prod(y,y)
torch.chain_matmul(y,v)
torch.broadcast_tensors(y,w)
y.detach().fill_(torch.ones(2))
y.detach().copy_(torch.ones(4))
y.detach().copy_(torch.ones(1,2,3))
y.detach().fill_(1j)
y.detach().expand(2,2,3).mul_(2)
y.hsplit(2)
v.vsplit(1)
y.vsplit(3)
y.dsplit(1)
y.tensor_split(0)
torch.ones(()).unbind()
torch.ones(()).split(1)
torch.ones(()).chunk(1)
""".strip().splitlines()


@pytest.mark.parametrize("expression", REFUSED)
@pytest.mark.filterwarnings("ignore:torch.chain_matmul:UserWarning", "ignore:.*chain_matmul.*")
def test_refused_in_the_words_of_torch(expression: str) -> None:
    raised = []
    for lib in (torch, devgrad):
        leaf = lib.arange(6.0).reshape(2, 3).requires_grad_()
        names = {
            "torch": lib, "y": leaf * 1, "v": lib.ones(3), "b": lib.ones(5, 2, 3),
            "w": lib.ones(3, 4), "z": lib.ones(2, 3, dtype=lib.complex64),
        }  # fmt: skip
        with pytest.raises(Exception) as caught:
            eval(expression, names)
        raised.append(caught.value)
    theirs, ours = raised
    assert isinstance(ours, type(theirs)), f"{type(ours)}, in PyTorch {type(theirs)}"
    phrase = str(theirs).split("\n")[0].split("(torch.FloatTensor")[0]
    assert str(ours)[:60] == phrase[: len(str(ours)[:60])] or str(ours).startswith(phrase)


def test_a_view_of_a_base_reshaped_in_place_is_not_followed() -> None:
    x = devgrad.arange(6.0).reshape(2, 3).requires_grad_()
    y = x * 2
    view = y.view(3, 2)
    y.t_()
    y.mul_(2)
    with pytest.raises(RuntimeError, match="given another shape in place"):
        view.sum().backward()


def test_storage_is_found_behind_views_of_views() -> None:
    x = devgrad.arange(12.0)
    view = x.as_strided((2, 2), (4, 1), 3).as_strided((3,), (2,), 1)
    assert view.tolist() == [1.0, 3.0, 5.0]
    assert view.storage_offset() == 1
    view.zero_()
    assert x.tolist()[:6] == [0.0, 0.0, 2.0, 0.0, 4.0, 0.0]


def test_resize_keeps_what_the_storage_holds() -> None:
    x = devgrad.arange(6)
    x.resize_(2, 2)
    assert x.tolist() == [[0, 1], [2, 3]]
    x.resize_(6)
    assert x.tolist() == [0, 1, 2, 3, 4, 5]
    x.resize_(8)
    assert x.tolist()[:6] == [0, 1, 2, 3, 4, 5]


def test_to_returns_the_tensor_itself_if_nothing_changes() -> None:
    x = devgrad.ones(2)
    assert x.to(x.device) is x and x.to(devgrad.float32) is x and x.to(x) is x and x.float() is x
    assert x.to(x, copy=True) is not x
    assert x.type() == "torch.cuda.FloatTensor" if x.is_cuda else "torch.FloatTensor"
    assert x.type("torch.DoubleTensor").dtype is devgrad.float64


def test_dtype_views_share_memory() -> None:
    x = devgrad.ones(2)
    bits = x.view(devgrad.int32)
    bits.zero_()
    assert x.tolist() == [0.0, 0.0]
    assert devgrad.ones(2, 4, dtype=devgrad.int16).view(devgrad.int64).shape == (2, 1)


def test_what_a_change_of_a_view_cuts_off_stays_zero_beside_infinity() -> None:
    x = devgrad.ones(3, requires_grad=True)
    z = x * 1
    z[0] = 5.0
    cotangent = devgrad.tensor([float("inf"), 1.0, 2.0])
    for create_graph in (False, True):
        (g,) = devgrad.autograd.grad(z, x, cotangent, create_graph=create_graph, retain_graph=True)
        assert g.tolist() == [0.0, 1.0, 2.0]
