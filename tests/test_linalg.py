"""Linear algebra beyond the table of operations: what reads one triangle only, what is determined
up to a phase, errors and infos, large matrices, and LAPACK's work without SciPy.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from op_samples.linalg import complex_regular, regular

import devgrad

try:
    import torch
except ImportError:
    torch = None  # type: ignore[assignment]

# What PyTorch says of the functions that linalg's have followed.
pytestmark = pytest.mark.filterwarnings(r"ignore:torch\.\w+ is deprecated:UserWarning")
needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch, the oracle, is not installed")


def placed(lib: Any, x: np.ndarray) -> Any:
    """A tensor on the default device of the test."""
    found = lib.from_numpy(np.array(x))
    return found.to(devgrad.get_default_device()) if lib is devgrad else found


def array(x: Any) -> np.ndarray:
    x = x.detach().cpu()
    return np.array(x.numpy() if x.__class__ is devgrad.Tensor else x.numpy(force=True))


def flat(x: Any) -> list[Any]:
    return [y for part in x for y in flat(part)] if isinstance(x, tuple) else [x]


# --- derivatives where the table cannot go --------------------------------------------------------


def hermitian(x: Any) -> Any:
    return x + x.mH


# Functions of a regular 3×3 matrix that do not depend on signs and phases.
FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "cholesky": lambda lib, x: lib.linalg.cholesky(x @ x.mH),
    "cholesky upper": lambda lib, x: lib.linalg.cholesky(x @ x.mH, upper=True),
    "cholesky former": lambda lib, x: lib.cholesky(x @ x.mH),
    "cholesky_ex": lambda lib, x: lib.linalg.cholesky_ex(x @ x.mH)[0],
    "cholesky_inverse": lambda lib, x: lib.cholesky_inverse(lib.linalg.cholesky(x @ x.mH)),
    "cholesky_solve": lambda lib, x: lib.cholesky_solve(x, lib.linalg.cholesky(x @ x.mH)),
    "eigh": lambda lib, x: (lambda L, V: (L, V.abs(), V @ (L[..., None] ** 2 * V.mH)))(
        *lib.linalg.eigh(hermitian(x))
    ),
    "eigh upper": lambda lib, x: lib.linalg.eigh(hermitian(x), "U")[1].abs(),
    "eigvalsh": lambda lib, x: lib.linalg.eigvalsh(hermitian(x)),
    "eig": lambda lib, x: (lambda L, V: (abs(L).sum(-1), abs(V).sum((-1, -2))))(*lib.linalg.eig(x)),
    "eigvals": lambda lib, x: abs(lib.linalg.eigvals(x)).sum(-1),
    "svd": lambda lib, x: (
        lambda U, S, Vh: (U.abs(), S, Vh.abs(), (U * S[..., None, :] ** 2) @ Vh)
    )(*lib.linalg.svd(x, full_matrices=False)),
    "svd of tall": lambda lib, x: (lambda U, S, Vh: (U @ Vh, U.abs()))(
        *lib.linalg.svd(x[..., :2], full_matrices=False)
    ),
    "svd of wide": lambda lib, x: (lambda U, S, Vh: (U @ Vh, Vh.abs()))(
        *lib.linalg.svd(x[..., :2, :], full_matrices=False)
    ),
    "svd of tall, full": lambda lib, x: (lambda U, S, Vh: (U[..., :2].abs(), S))(
        *lib.linalg.svd(x[..., :2])
    ),
    "svd former": lambda lib, x: (lambda U, S, V: U @ V.mH)(*lib.svd(x)),
    "svdvals": lambda lib, x: lib.linalg.svdvals(x),
    "nuc": lambda lib, x: lib.linalg.matrix_norm(x, "nuc"),
    "2": lambda lib, x: lib.linalg.norm(x, 2, (-2, -1)),
    "cond": lambda lib, x: lib.linalg.cond(x),
    "qr": lambda lib, x: lib.linalg.qr(x),
    "qr of wide": lambda lib, x: lib.linalg.qr(x[..., :2, :]),
    "lu": lambda lib, x: lib.linalg.lu(x)[1:],
    "lu_solve": lambda lib, x: lib.linalg.lu_solve(*lib.linalg.lu_factor(x), x.mH),
    "pinv hermitian": lambda lib, x: lib.linalg.pinv(hermitian(x), hermitian=True),
    "pinv singular": lambda lib, x: lib.linalg.pinv(x[..., :2] @ x[..., :2, :]),
    "lstsq": lambda lib, x: lib.linalg.lstsq(x[..., :2], x, driver="gels")[:2],
    "lstsq vector": lambda lib, x: lib.linalg.lstsq(x[..., :2, :], x[..., :2, 0])[0],
    "logdet": lambda lib, x: lib.logdet(x @ x.mH).real if x.is_complex() else lib.logdet(x @ x.mH),
    "slogdet": lambda lib, x: lib.linalg.slogdet(x),
    "matrix_exp": lambda lib, x: lib.linalg.matrix_exp(x / 3),
    "householder_product": lambda lib, x: lib.linalg.householder_product(x, x[..., 0, :] / 5),
}


def derivatives(lib: Any, function: Callable[[Any, Any], Any], x: np.ndarray) -> list[np.ndarray]:
    """The values, and first and second derivatives of an uneven sum of them."""
    leaf = placed(lib, x).requires_grad_()
    results = [y for y in flat(function(lib, leaf)) if y.requires_grad]

    def total(parts: list[Any]) -> Any:
        terms = []
        for y in parts:
            weights = np.cos(np.arange(y.numel())).reshape(tuple(y.shape)) + 0.4
            term = (y.real + 0.7 * y.imag if y.is_complex() else y) * placed(lib, weights)
            terms.append(term.sum())
        return sum(terms[1:], terms[0])

    (first,) = lib.autograd.grad(total(results), leaf, create_graph=True)
    (second,) = lib.autograd.grad(total([first]), leaf)
    return [array(y) for y in (*results, first, second)]


@needs_torch
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_of_both_orders(name: str, kind: str) -> None:
    x = regular(2, 3, 3) if kind == "real" else complex_regular(2, 3, 3)
    ours, theirs = (derivatives(lib, FUNCTIONS[name], x) for lib in (devgrad, torch))
    for got, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-7, atol=1e-7)


def test_the_determinant_of_a_singular_matrix_has_its_cofactors_for_gradient() -> None:
    x = placed(devgrad, np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]))
    x.requires_grad_()
    x2 = (x * 1.0)[None].expand(2, 3, 3) + devgrad.stack([devgrad.zeros(3, 3), devgrad.eye(3)]).to(
        x
    )
    (g,) = devgrad.autograd.grad(devgrad.linalg.det(x2)[0], x)
    cofactors = np.array([[-3.0, 6.0, -3.0], [6.0, -12.0, 6.0], [-3.0, 6.0, -3.0]])
    np.testing.assert_allclose(array(g), cofactors, atol=1e-12)


def test_a_loss_that_depends_on_the_phase_is_refused() -> None:
    def refused(function: Callable[[Any], Any], phrase: str) -> None:
        x = placed(devgrad, complex_regular(1, 3, 3)).requires_grad_()
        with pytest.raises(RuntimeError, match=phrase):
            function(x).imag.sum().backward()

    refused(lambda x: devgrad.linalg.svd(x)[0], "^svd_backward: The singular vectors in the")
    refused(lambda x: devgrad.linalg.eigh(x + x.mH)[1], "^linalg_eigh_backward: The eigenvectors")
    refused(lambda x: devgrad.linalg.eig(x)[1], "^linalg_eig_backward: The eigenvectors")


def test_what_has_no_derivative_says_so() -> None:
    x = placed(devgrad, regular(4, 3)).requires_grad_()
    with pytest.raises(RuntimeError, match="^The derivative of linalg.qr depends on Q"):
        devgrad.linalg.qr(x, "r").R.sum().backward()
    with pytest.raises(RuntimeError, match="mode='complete' and nrows > ncols"):
        devgrad.linalg.qr(x, "complete").R.sum().backward()
    with pytest.raises(NotImplementedError, match="^derivative for aten::geqrf is not"):
        devgrad.geqrf(x).a.sum().backward()
    with pytest.raises(NotImplementedError, match="^derivative for aten::linalg_ldl_factor_ex"):
        devgrad.linalg.ldl_factor(x.mT @ x).LD.sum().backward()


# --- results and errors, in PyTorch's words -------------------------------------------------------

EXPRESSIONS = """
L.inv(sing) | L.inv(bs) | L.inv(i) | L.inv(h) | L.inv(r) | L.inv(v) | L.inv(nan) | L.inv_ex(sing)
L.inv_ex(sing,check_errors=True) | torch.inverse(sing) | torch.inverse(i)
L.cholesky(nd) | L.cholesky(bs) | L.cholesky(i) | L.cholesky(h) | L.cholesky(r) | L.cholesky(v)
torch.cholesky(nd) | torch.cholesky(i) | L.cholesky_ex(nd) | L.cholesky_ex(nan) | L.cholesky(nan)
L.cholesky_ex(torch.tensor([[4.,2,1],[2,1,5],[1,5,9]]))
L.cholesky_ex(nd,check_errors=True) | torch.cholesky_inverse(torch.zeros(2,2))
torch.cholesky_solve(e2,v) | torch.cholesky_solve(e2,r) | torch.cholesky_solve(v,e2)
torch.cholesky_solve(torch.ones(3,1),e2) | torch.cholesky_inverse(r) | torch.cholesky_inverse(v)
torch.cholesky_inverse(i) | torch.cholesky_solve(i,i)
L.solve(sing,v) | L.solve(bs,bs) | L.solve(i,i) | L.solve(h,h) | L.solve(r,r) | L.solve(e2,v)
L.solve(e2,torch.ones(2,3),left=False) | L.solve(e2,e2.double()) | L.solve(sing,sing,left=False)
L.solve_ex(sing,v) | L.solve(v,v) | L.solve(torch.ones(4,2,2),torch.ones(3,2,2))
L.solve(e2,torch.ones(2),left=False)
L.det(r) | L.det(i) | L.det(h) | L.det(v) | torch.det(r) | torch.logdet(r) | torch.logdet(i)
L.slogdet(r) | L.slogdet(i) | L.slogdet(sing) | L.slogdet(h) | L.det(torch.ones(0,0))
L.svd(v) | L.svd(i) | L.svd(h) | L.svd(nan) | L.svdvals(i) | torch.svd(i) | torch.svd(nan)
L.eigh(r) | L.eigh(i) | L.eigh(h) | L.eigh(e2,UPLO='X') | L.eigvalsh(i)
L.eig(r) | L.eig(i) | L.eig(h) | L.eig(nan) | L.eigvals(h) | L.eig(torch.ones(0,0))
L.qr(v) | L.qr(i) | L.qr(h) | L.qr(r,mode='x') | L.qr(r,mode='r') | torch.qr(i)
torch.geqrf(i) | torch.geqrf(v) | torch.geqrf(r) | torch.geqrf(h)
L.lu_factor(sing) | L.lu_factor(i) | L.lu_factor(h) | L.lu_factor_ex(sing) | L.lu_factor(nd)
L.lu_factor_ex(bs,check_errors=True) | L.lu(v) | L.lu(i) | torch.lu(sing) | L.lu_factor(v)
torch.lu(sing,get_infos=True) | torch.lu(i) | L.lu_solve(e2,p2,torch.ones(2,1))
L.lu_solve(e2,torch.tensor([1,2]),torch.ones(2,1)) | L.lu_solve(e2,p2,torch.ones(3,1))
L.lu_solve(e2,torch.tensor([1,2,3],dtype=torch.int32),torch.ones(2,1))
L.lu_solve(e2,p2,torch.ones(2,1).double()) | torch.lu_solve(torch.ones(2),e2,p2)
torch.lu_unpack(e2,torch.tensor([1,2])) | torch.lu_unpack(e2,torch.tensor([1,5],dtype=torch.int32))
torch.lu_unpack(e2,p2,unpack_data=False) | torch.lu_unpack(e2,p2,unpack_pivots=False)
L.ldl_factor(nd) | L.ldl_factor(i) | L.ldl_factor_ex(torch.zeros(2,2)) | L.ldl_factor(r)
L.ldl_factor(torch.tensor([[0.,1,2],[1,0,3],[2,3,0]])) | L.ldl_factor(h)
L.ldl_solve(e2,torch.tensor([1,2]),torch.ones(2,1)) | L.ldl_solve(e2,p2,torch.ones(3,1))
L.ldl_solve(e2,p2,torch.ones(2,1).double())
L.solve_triangular(e2,torch.ones(2,1),upper=True) | L.solve_triangular(i,i,upper=True)
L.solve_triangular(torch.zeros(2,2),torch.ones(2,1),upper=True)
L.solve_triangular(e2,torch.ones(3,1),upper=True) | L.solve_triangular(h,h,upper=True)
L.solve_triangular(e2,torch.ones(2),upper=True)
L.solve_triangular(r,torch.ones(2,1),upper=True)
L.solve_triangular(e2,torch.ones(3,1),upper=True,left=False)
torch.triangular_solve(torch.ones(2,1),e2) | torch.triangular_solve(i,i)
torch.triangular_solve(torch.ones(2),e2) | torch.triangular_solve(torch.ones(3,1),e2)
L.tensorinv(torch.ones(2,3),ind=1) | L.tensorinv(e2,ind=0) | L.tensorinv(torch.ones(4,4),ind=1)
L.tensorsolve(r,v) | L.tensorsolve(sing,v) | L.tensorinv(i)
L.lstsq(r,v) | L.lstsq(t,torch.ones(3,1),driver='x') | L.lstsq(sing,torch.ones(3,1),driver='gels')
L.lstsq(i,i) | L.lstsq(h,h) | L.lstsq(v,v) | L.lstsq(e2,e2.double()) | L.lstsq(t,torch.ones(4,1))
L.lstsq(torch.ones(2,3,2),torch.ones(4,3,1)) | L.lstsq(torch.ones(3,0),torch.ones(3,1))
L.lstsq(torch.ones(0,3),torch.ones(0,1)) | L.lstsq(t,torch.ones(3,1))
L.lstsq(t,torch.ones(3,1),driver='gels') | L.lstsq(t,torch.ones(3,1),driver='gelsd')
L.lstsq(t,torch.ones(3),driver='gelss') | L.lstsq(t.mT,torch.ones(2,1),driver='gelsd')
L.pinv(i) | L.pinv(v) | L.pinv(h) | L.pinv(r,hermitian=True) | torch.pinverse(i)
L.pinv(d,atol=torch.tensor([.05,.5])) | L.pinv(d,rtol=.05) | L.pinv(d,.5)
L.matrix_rank(i) | L.matrix_rank(v) | L.matrix_rank(h) | L.matrix_rank(r,hermitian=True)
L.matrix_rank(sing) | L.matrix_rank(sing,hermitian=True) | L.matrix_rank(torch.diag(v),tol=2.)
L.matrix_rank(d,atol=torch.tensor([.05,.5]))
L.matrix_norm(v) | L.matrix_norm(i) | L.matrix_norm(h) | L.matrix_norm(h,2) | L.matrix_norm(r,3)
L.matrix_norm(r,'x') | L.matrix_norm(r,dim=(0,0)) | L.matrix_norm(r,dim=(0,)) | L.norm(r,'x')
L.norm(v,'nuc') | L.norm(torch.ones(2,2,2),2) | L.norm(r,1) | L.norm(r,2) | L.norm(r,'nuc')
L.norm(torch.ones(2,3,2),2,dim=(0,2)) | L.norm(r,2,dtype=torch.float64)
L.matrix_norm(r,1,keepdim=True) | L.matrix_norm(torch.ones(0,3),2)
L.matrix_norm(torch.ones(2,0,3),1)
L.cond(v) | L.cond(r,1) | L.cond(i) | L.cond(sing,1) | L.cond(r,3) | L.cond(torch.ones(0,3,3))
L.cond(torch.ones(3,0,0)) | L.cond(nd,'fro') | L.cond(nd,'nuc') | L.cond(nd,-2)
L.matrix_exp(r) | L.matrix_exp(i) | L.matrix_exp(v) | L.matrix_power(r,2) | L.matrix_power(i,2)
L.matrix_power(i,-2) | L.matrix_power(v,2) | L.matrix_power(i,0) | torch.matrix_power(nd,-3)
L.householder_product(r,torch.ones(2)) | L.householder_product(v,v)
L.householder_product(torch.ones(3,2),torch.ones(3)) | L.householder_product(i,i)
L.householder_product(torch.ones(3,2),torch.ones(2).double()) | torch.ormqr(e2,torch.ones(2),v)
torch.ormqr(e2,torch.ones(2),torch.ones(3,1))
torch.ormqr(torch.ones(2,3),torch.ones(2),torch.ones(2,1))
torch.ormqr(e2,torch.ones(3),torch.ones(2,1))
L.vecdot(v,v.double()) | L.vecdot(i,i) | L.vander(torch.tensor(1.)) | L.vander(v,N=0) | L.vander(i)
L.vander(torch.arange(3,dtype=torch.int32)) | torch.vander(v,N=-1) | torch.vander(r) | L.vander(h)
torch.vander(torch.arange(3,dtype=torch.int32)) | torch.vander(v,0)
torch.vander(v,increasing=True)
L.cross(v,torch.ones(2)) | L.cross(v,i) | L.cross(v,v.double()) | torch.cross(r,r)
torch.cross(torch.ones(2,3,3),torch.ones(2,3,3)) | torch.cross(i,i) | torch.cross(i,i,dim=0)
L.cross(torch.ones(2),torch.ones(2)) | L.cross(v,torch.ones(2,3)) | L.cross(v>0,v>0)
torch.trace(v) | torch.trace(i) | torch.trace(i>0) | torch.trace(h) | torch.trace(r)
torch.cdist(v,v) | torch.cdist(i,i) | torch.cdist(r,e2) | torch.cdist(r,r,p=-1)
torch.cdist(r,r,compute_mode='x') | torch.cdist(r,r.double()) | torch.cdist(h,h)
torch.cdist(r.cfloat(),r.cfloat()) | torch.cdist(torch.ones(0,3),r)
torch.cdist(torch.ones(2,0),torch.ones(3,0)) | torch.dist(v,torch.ones(2)) | torch.dist(i,i)
torch.nn.functional.pdist(v) | torch.nn.functional.pdist(r,-1) | torch.nn.functional.pdist(i)
torch.renorm(r,2,0,1) | torch.renorm(v,2,0,1) | torch.renorm(r,-1,0,1) | torch.renorm(r,2,0,-1)
torch.renorm(i,2,0,1) | torch.renorm(r,2,5,1) | torch.renorm(r,1j,0,1)
torch.cov(torch.ones(2,2,2)) | torch.cov(i) | torch.cov(i>0) | torch.cov(r,fweights=torch.ones(3))
torch.cov(r,fweights=torch.ones(2).long()) | torch.cov(r,fweights=-torch.ones(3).long())
torch.cov(r,aweights=torch.ones(3).long()) | torch.cov(v) | torch.corrcoef(torch.ones(2,2,2))
torch.cov(r,aweights=torch.ones(3,1)) | torch.cov(r,aweights=-v) | torch.corrcoef(i)
torch.cov(r,correction=3)
L.multi_dot([r]) | L.multi_dot([r,r]) | torch.chain_matmul(r) | torch.pca_lowrank(r,q=5)
torch.pca_lowrank(r,niter=-1) | L.diagonal(v)
"""


def names_for(lib: Any) -> dict[str, Any]:
    """What the expressions are made of."""
    return {
        "torch": lib, "L": lib.linalg, "sing": lib.ones(3, 3), "v": lib.ones(3), "e2": lib.eye(2),
        "bs": lib.stack([lib.eye(3), lib.ones(3, 3)]), "nd": lib.tensor([[1.0, 2.0], [2.0, 1.0]]),
        "nan": lib.full((3, 3), float("nan")), "i": lib.ones(2, 2, dtype=lib.int64),
        "h": lib.eye(2).to(lib.float16), "r": lib.ones(2, 3),
        "p2": lib.tensor([1, 2], dtype=lib.int32),
        "t": lib.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 1.0]]),
        "d": lib.diag(lib.tensor([1.0, 0.1, 0.01])),
    }  # fmt: skip


def outcome(lib: Any, expression: str) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = eval(expression, names_for(lib))
        except Exception as error:
            return error
    said = [str(w.message).partition(" (Triggered")[0] for w in caught if "cov()" in str(w.message)]
    return [(str(y.dtype), array(y)) for y in flat(result)], said


@needs_torch
@pytest.mark.parametrize(
    "expression", [e.strip() for line in EXPRESSIONS.strip().splitlines() for e in line.split("|")]
)
def test_results_and_errors_as_in_torch(expression: str) -> None:
    wanted, got = (outcome(lib, expression) for lib in (torch, devgrad))
    if isinstance(wanted, Exception):
        assert isinstance(got, Exception), f"no error, in PyTorch {wanted!r}"
        name = type(wanted).__name__.removeprefix("_")
        assert type(got).__name__ == name
        phrase = str(wanted).rstrip(". ")
        if devgrad.get_default_device().type == "cuda":
            phrase = phrase.partition("_cpu")[0]
        assert str(got).startswith(phrase), f"{got}\n   in PyTorch {wanted}"
        return
    if isinstance(got, Exception):
        raise got
    assert got[1] == wanted[1]
    for (kind, mine), (their_kind, theirs) in zip(got[0], wanted[0], strict=True):
        assert kind == their_kind
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)


def test_errors_are_linalg_errors_and_runtime_errors() -> None:
    with pytest.raises(devgrad.linalg.LinAlgError) as caught:
        devgrad.linalg.inv(devgrad.zeros(2, 2))
    assert isinstance(caught.value, RuntimeError)


def test_eigenvalues_of_what_is_not_finite() -> None:
    x = devgrad.full((3, 3), float("nan"))
    for function in (devgrad.linalg.eigh, devgrad.linalg.eigvalsh):
        with pytest.raises(devgrad.linalg.LinAlgError, match="^linalg.eigh: The algorithm failed"):
            function(x)


@needs_torch
def test_out_of_several_results() -> None:
    x = placed(devgrad, regular(2, 3, 3))
    U, S, Vh = (devgrad.empty(0, dtype=devgrad.float64) for _ in range(3))
    devgrad.linalg.svd(x, out=(U, S, Vh))
    np.testing.assert_allclose(array((U * S[:, None]) @ Vh), regular(2, 3, 3), atol=1e-12)
    out = (devgrad.empty(0).to(x), devgrad.empty(0).int())
    pivots = devgrad.linalg.lu_factor(x, out=out)[1]
    np.testing.assert_array_equal(
        array(pivots), torch.linalg.lu_factor(torch.from_numpy(regular(2, 3, 3)))[1].numpy()
    )


# --- large matrices, with SciPy's LAPACK and without ----------------------------------------------


@pytest.fixture(params=["with SciPy", "without"])
def lapack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = sys.modules["devgrad.device._lapack"]
    if request.param == "without":
        monkeypatch.setattr(module, "_scipy", lambda part: None)
    else:
        pytest.importorskip("scipy")
    return module


@needs_torch
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("shape", [(130, 130), (2, 100, 130), (130, 100), (3, 5, 5)])
def test_large_factorisations(lapack: Any, shape: tuple[int, ...], kind: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if kind == "complex" else 0)
    ours, theirs = placed(devgrad, x), torch.from_numpy(x)
    found, wanted = (x.linalg.lu_factor_ex(y) for x, y in ((devgrad, ours), (torch, theirs)))
    if ours.is_cpu:  # (cuSOLVER may take another pivot of complex columns)
        for mine, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(array(mine), other.numpy(), rtol=1e-9, atol=1e-9)
    P, L, U = devgrad.linalg.lu(ours)
    np.testing.assert_allclose(array(P @ L @ U), x, atol=1e-9)
    if shape[-1] != shape[-2]:
        return
    n = shape[-1]
    b = x[..., :7]
    triangle = x / n + 2 * np.eye(n)
    for upper in (False, True):
        for unit in (False, True):
            mine, wanted = (
                lib.linalg.solve_triangular(
                    placed(lib, triangle), placed(lib, b), upper=upper, unitriangular=unit
                )
                for lib in (devgrad, torch)
            )
            np.testing.assert_allclose(array(mine), wanted.numpy(), rtol=1e-9, atol=1e-9)
    for hermitian_ in (False, True):
        turned = np.swapaxes(x.conj() if hermitian_ else x, -1, -2)
        found = devgrad.linalg.ldl_factor_ex(placed(devgrad, x + turned), hermitian=hermitian_)
        wanted = torch.linalg.ldl_factor_ex(torch.from_numpy(x + turned), hermitian=hermitian_)
        np.testing.assert_array_equal(array(found.pivots), wanted.pivots.numpy())
        np.testing.assert_allclose(
            np.tril(array(found.LD)), np.tril(wanted.LD.numpy()), rtol=1e-8, atol=1e-8
        )
        solved = devgrad.linalg.ldl_solve(*found[:2], placed(devgrad, b), hermitian=hermitian_)
        np.testing.assert_allclose((x + turned) @ array(solved), b, atol=1e-8)


@needs_torch
@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
def test_exponentials_of_small_and_large_matrices(scale: float, dtype: str) -> None:
    rng = np.random.default_rng(6)
    x = (rng.normal(size=(3, 6, 6)) * np.array([0.1, 1, 2])[:, None, None] * scale).astype(dtype)
    mine = array(devgrad.linalg.matrix_exp(placed(devgrad, x)))
    wanted = torch.linalg.matrix_exp(
        torch.from_numpy(x.astype(np.result_type(dtype, float)))
    ).numpy()
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    size = np.abs(wanted).max(axis=(-1, -2), keepdims=True)
    np.testing.assert_allclose(mine / size, wanted / size, rtol=tolerance, atol=tolerance)


def test_a_zero_pivot_deep_inside_a_large_matrix_is_named() -> None:
    x = np.triu(np.ones((120, 120))) + np.eye(120)
    x[77, 77] = 0
    with pytest.raises(devgrad.linalg.LinAlgError, match="The diagonal element 78 is zero"):
        devgrad.linalg.inv(placed(devgrad, x))
    x[77, 77], x[50, 50] = 2, -1
    with pytest.raises(devgrad.linalg.LinAlgError, match="the leading minor of order 51 is not"):
        devgrad.linalg.cholesky(
            placed(devgrad, x.T @ np.diag([1.0] * 50 + [-1.0] + [1.0] * 69) @ x)
        )


def test_low_rank_decompositions_find_the_rank() -> None:
    devgrad.manual_seed(0)
    left, right = regular(20, 3), regular(3, 15)
    A = placed(devgrad, left @ right)
    for U, S, V in (devgrad.svd_lowrank(A, q=5), devgrad.svd_lowrank(A.mT, 5, M=A.mT * 0)):
        assert (array(S)[3:] < 1e-10).all()
        product = array((U * S) @ V.mT)
        product = product if product.shape == (20, 15) else product.T
        np.testing.assert_allclose(product, left @ right, atol=1e-10)
    centred = left @ right - (left @ right).mean(0)
    U, S, V = devgrad.pca_lowrank(A, q=4)
    np.testing.assert_allclose(array((U * S) @ V.mT), centred, atol=1e-10)
