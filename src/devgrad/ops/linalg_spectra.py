"""Singular values and eigenvalues, with their vectors.

Derivatives: of the singular value decomposition after Wan and Zhang ("Automatic Differentiation
for Complex Valued SVD", 2019) and Townsend ("Differentiating the Singular Value Decomposition",
2016); of eigenvalues after Giles ("Collected Matrix Derivative Results for Forward and Reverse
Mode Algorithmic Differentiation", 2008) and, for complex eigenvectors, Boeddeker et al. ("On the
Computation of Complex-valued Gradients", 2017).

Vectors are determined up to a sign, or in the complex case a phase; where several values agree, up
to a rotation. Only a loss that does not depend on that choice has a derivative. PyTorch's errors
where the phase would matter are raised here too; for values that agree the result is infinite.
"""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor, wrap
from ..autograd._modes import mode
from ._formula import conj
from ._matrices import (
    H,
    LinAlgError,
    check_floating,
    check_kernel,
    check_matrices,
    check_square,
    diagonal_of,
    inner_columns,
    plus_identity,
    with_diagonal,
)
from ._op import Array, _result_type, composite, op
from .linalg_equations import solution

__all__ = ["eigenvalues_of", "eigh_of", "singular_values_of", "svd_of"]


def _failed(xp: Any, name: str, a: Any, values: str) -> LinAlgError:
    if not xp.isfinite(a).all():
        return LinAlgError(
            f"{name}: The algorithm failed to converge because the input matrix contained "
            "non-finite values."
        )
    return LinAlgError(
        f"{name}: The algorithm failed to converge because the input matrix is ill-conditioned or "
        f"has too many repeated {values}."
    )


def _phase_matters(diagonal: Any) -> bool:
    """Whether turning the vectors' phases would change the loss."""
    return not bool((abs(diagonal.imag) <= 1e-2).all())


def _differences(values: Any) -> Any:
    """``values_j - values_i`` off the diagonal, 1 on it."""
    return plus_identity(values[..., None, :] - values[..., :, None])


def _recorded(A: Any) -> bool:
    return mode.grad and A.requires_grad


# --- singular values ------------------------------------------------------------------------------


@op(name="linalg_svd", outputs=("U", "S", "Vh"), differentiable=3, function=False, method=False)
def svd_of(xp: Any, A: Array, full_matrices: bool = False) -> Any:
    """U, S and V^H."""
    check_kernel("linalg_svd", A)
    try:
        return xp.lapack.svd(A, full_matrices)
    except xp.linalg.LinAlgError:
        raise _failed(xp, "linalg.svd", A, "singular values") from None


def _svd_rule(g: Any, U: Any, S: Any, Vh: Any) -> Any:
    g_u, g_s, g_vh = g
    k = S.shape[-1]
    # Of full matrices the further columns are not determined at all.
    U, Vh = U[..., :k], Vh[..., :k, :]
    m, n = U.shape[-2], Vh.shape[-1]
    if g_u is None and g_vh is None:
        return (U * g_s[..., None, :]) @ Vh
    by_u = by_v = None
    if g_u is not None:
        g_u = g_u[..., :k]
        by_u = inner_columns(U, g_u)
        by_u = by_u - H(by_u)
    if g_vh is not None:
        g_vh = g_vh[..., :k, :]
        by_v = Vh @ H(g_vh)
        by_v = by_v - H(by_v)
    complex_ = U.dtype.kind == "c"
    if complex_:
        phases = [diagonal_of(x) for x in (by_u, by_v) if x is not None]
        if _phase_matters(phases[0] + phases[1] if len(phases) == 2 else phases[0]):
            raise RuntimeError(
                "svd_backward: The singular vectors in the complex case are specified up to "
                "multiplication by e^{i phi}. The specified loss function depends on this phase "
                "term, making it ill-defined."
            )
    gaps = _differences(S * S)
    inner = None
    if by_u is not None:
        inner = (by_u / gaps) * S[..., None, :]
    if by_v is not None:
        part = S[..., :, None] * (by_v / gaps)
        inner = part if inner is None else inner + part
    if g_s is not None:
        inner = inner + with_diagonal(g_s)
    if complex_ and by_u is not None and by_v is not None:
        inner = inner + with_diagonal(diagonal_of(by_u) / (2 * S))
    # The parts outside the spaces of the vectors that there are.
    result = U @ inner
    if m > k and g_u is not None:
        scaled = g_u / S[..., None, :]
        result = result + scaled - U @ inner_columns(U, scaled)
    result = result @ Vh
    if n > k and g_vh is not None:
        scaled = g_vh / S[..., :, None]
        result = result + U @ (scaled - (scaled @ H(Vh)) @ Vh)
    return result


svd_of.vjp(A=_svd_rule)


@op(name="linalg_svdvals", function=False, method=False)
def _svdvals(xp: Any, A: Array) -> Array:
    check_kernel("linalg_svd", A)
    try:
        return xp.lapack.svdvals(A)
    except xp.linalg.LinAlgError:
        raise _failed(xp, "linalg.svd", A, "singular values") from None


def singular_values_of(A: Tensor) -> Tensor:
    """The singular values; where a gradient will be asked for, the vectors are found too."""
    found: Tensor = svd_of.function(A).S if _recorded(A) else _svdvals.function(A)
    return found


@composite(method=False, namespaces=("linalg",))
def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Any:
    """The singular value decomposition ``A = U diag(S) Vh``.

    Args:
        A: any batch of m×n; k is the lesser of m and n.
        full_matrices: U is m×m and Vh n×n, else m×k and k×n.
        driver: for CUDA in PyTorch; no choice here.

    Returns:
        ``(U, S, Vh)``; S real, k values, the greatest first.

    Raises:
        LinAlgError: it does not converge. RuntimeError: in a backward pass where the loss depends
            on the phase of complex vectors.

    >>> import devgrad
    >>> devgrad.linalg.svd(devgrad.tensor([[3.0, 0.0], [0.0, 2.0]])).S
    tensor([3., 2.])
    """
    check_matrices("linalg.svd", A)
    check_floating("linalg.svd", A, half=True)
    _no_driver(A, driver)
    return svd_of.function(A, full_matrices)


def _no_driver(A: Tensor, driver: str | None) -> None:
    if driver is not None and A._type.device.type == "cpu":
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only supported on "
                           "CUDA inputs with cuSOLVER backend.")  # fmt: skip


@composite(method=False, namespaces=("linalg",))
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, the greatest first; see `svd`.

    Raises:
        LinAlgError: it does not converge.

    >>> import devgrad
    >>> devgrad.linalg.svdvals(devgrad.tensor([[0.0, 2.0], [3.0, 0.0]]))
    tensor([3., 2.])
    """
    check_matrices("linalg.svd", A)
    check_floating("linalg.svd", A, half=True)
    _no_driver(A, driver)
    return singular_values_of(A)


def _former_svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """PyTorch's former `linalg.svd`: gives V, not its adjoint.

    Args:
        some: U and V are m×k and n×k, else square. compute_uv: else they are zeros.

    Returns:
        ``(U, S, V)``.

    >>> import devgrad
    >>> devgrad.svd(devgrad.tensor([[3.0, 0.0], [0.0, 2.0]])).S
    tensor([3., 2.])
    """
    check_matrices("linalg.svd", input)
    check_floating("linalg.svd", input, half=True)
    if compute_uv:
        U, S, Vh = svd_of.function(input, not some)
        return _USV(U, S, H(Vh))
    kind, (*batch, m, n) = input._type, input._array.shape
    zeros = [wrap(kind.xp.zeros((*batch, size, size), kind.array_dtype), kind) for size in (m, n)]
    return _USV(zeros[0], singular_values_of(input), zeros[1])


_USV = _result_type("svd", ("U", "S", "V"))
_former_svd.__name__ = "svd"
composite(_former_svd)


# --- eigenvalues of Hermitian matrices ------------------------------------------------------------


@op(name="linalg_eigh", outputs=("eigenvalues", "eigenvectors"), differentiable=2, function=False,
    method=False)  # fmt: skip
def eigh_of(xp: Any, A: Array, uplo: str) -> Any:
    """Eigenvalues and eigenvectors of Hermitian matrices."""
    check_kernel("linalg_eigh", A)
    try:
        return xp.lapack.eigh(A, uplo)
    except xp.linalg.LinAlgError:
        raise _failed(xp, "linalg.eigh", A, "eigenvalues") from None


def _eigh_rule(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    g_l, g_v = g
    L, V = eigenvalues, eigenvectors
    if g_v is None:
        return (V * g_l[..., None, :]) @ H(V)
    turn = inner_columns(V, g_v)
    if V.dtype.kind == "c" and _phase_matters(diagonal_of(turn)):
        raise RuntimeError(
            "linalg_eigh_backward: The eigenvectors in the complex case are specified up to "
            "multiplication by e^{i phi}. The specified loss function depends on this quantity, "
            "so it is ill-defined."
        )
    inner = (turn - H(turn)) * 0.5 / _differences(L)
    inner = inner - with_diagonal(diagonal_of(inner))
    if g_l is not None:
        inner = inner + with_diagonal(g_l)
    return V @ inner @ H(V)


eigh_of.vjp(A=_eigh_rule)


@op(name="linalg_eigvalsh", function=False, method=False)
def _eigvalsh(xp: Any, A: Array, uplo: str) -> Array:
    check_kernel("linalg_eigh", A)
    try:
        return xp.lapack.eigvalsh(A, uplo)
    except xp.linalg.LinAlgError:
        raise _failed(xp, "linalg.eigh", A, "eigenvalues") from None


def eigenvalues_of(A: Tensor, uplo: str = "L") -> Tensor:
    """The eigenvalues of Hermitian matrices; where a gradient will be asked for, vectors too."""
    found = eigh_of.function(A, uplo)[0] if _recorded(A) else _eigvalsh.function(A, uplo)
    return found


def _uplo(A: Any, UPLO: str) -> str:
    check_square("linalg.eigh", A)
    upper = UPLO.upper()
    if upper not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return upper


@composite(method=False, namespaces=("linalg",))
def eigh(A: Tensor, UPLO: str = "L") -> Any:
    """Eigenvalues and eigenvectors of Hermitian matrices: ``A = V diag(L) V^H``.

    Args:
        A: any batch of n×n. UPLO: which triangle is looked at.

    Returns:
        ``(eigenvalues, eigenvectors)``: real, the least first; and in columns.

    Raises:
        LinAlgError: it does not converge. RuntimeError: they are not square.

    >>> import devgrad
    >>> devgrad.linalg.eigh(devgrad.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    return eigh_of.function(A, _uplo(A, UPLO))


@composite(method=False, namespaces=("linalg",))
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """Eigenvalues of Hermitian matrices, the least first; see `eigh`.

    >>> import devgrad
    >>> devgrad.linalg.eigvalsh(devgrad.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    return eigenvalues_of(A, _uplo(A, UPLO))


# --- eigenvalues of any matrices ------------------------------------------------------------------


def _check_finite(xp: Any, A: Any) -> None:
    check_kernel("linalg_eig_out", A)
    if not xp.isfinite(A).all():
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")


@op(name="linalg_eig", outputs=("eigenvalues", "eigenvectors"), differentiable=2, function=False,
    method=False)  # fmt: skip
def _eig(xp: Any, A: Array) -> Any:
    _check_finite(xp, A)
    try:
        return xp.lapack.eig(A)
    except xp.linalg.LinAlgError:
        raise _failed(xp, "linalg.eig", A, "eigenvalues") from None


def _eig_rule(g: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    g_l, g_v = g
    L, V = eigenvalues, eigenvectors
    if g_v is None:
        return solution((H(V), g_l[..., :, None] * H(V)))[0]
    turn = inner_columns(V, g_v)
    own = diagonal_of(turn)
    if _phase_matters(own):
        raise RuntimeError(
            "linalg_eig_backward: The eigenvectors in the complex case are specified up to "
            "multiplication by e^{i phi}. The specified loss function depends on this quantity, "
            "so it is ill-defined."
        )
    # Eigenvectors have norm 1: what would make them longer is taken away.
    inner = (turn - inner_columns(V, V) * own.real[..., None, :]) / conj(_differences(L))
    inner = inner - with_diagonal(diagonal_of(inner))
    if g_l is not None:
        inner = inner + with_diagonal(g_l)
    return solution((H(V), inner @ H(V)))[0]


_eig.vjp(A=_eig_rule)


@op(name="linalg_eigvals", function=False, method=False)
def _eigvals(xp: Any, A: Array) -> Array:
    _check_finite(xp, A)
    try:
        return xp.lapack.eigvals(A)
    except xp.linalg.LinAlgError:
        raise _failed(xp, "linalg.eig", A, "eigenvalues") from None


def _check_general(A: Any) -> None:
    check_square("linalg.eig", A)
    if A._type.dtype.category < 2:
        raise RuntimeError(
            f"Unknown Complex ScalarType for {A._type.dtype.title}. linalg.eig takes floating "
            "point and complex matrices: x.float()"
        )


@composite(method=False, namespaces=("linalg",))
def eig(A: Tensor) -> Any:
    """Eigenvalues and eigenvectors of square matrices: ``A V = V diag(L)``.

    Args:
        A: any batch of n×n.

    Returns:
        ``(eigenvalues, eigenvectors)``, always complex, in no particular order; vectors of norm
        1 in columns.

    Raises:
        LinAlgError: it does not converge. RuntimeError: there are infinities or NaN; in a backward
            pass where the loss depends on the phase of the vectors.

    >>> import devgrad
    >>> devgrad.linalg.eig(devgrad.tensor([[0.0, 1.0], [-1.0, 0.0]])).eigenvalues.imag
    tensor([ 1., -1.])
    """
    _check_general(A)
    return _eig.function(A)


@composite(method=False, namespaces=("linalg",))
def eigvals(A: Tensor) -> Tensor:
    """Eigenvalues of square matrices, always complex; see `eig`.

    >>> import devgrad
    >>> devgrad.linalg.eigvals(devgrad.tensor([[0.0, 1.0], [-1.0, 0.0]])).imag
    tensor([ 1., -1.])
    """
    _check_general(A)
    found: Tensor = _eig.function(A)[0] if _recorded(A) else _eigvals.function(A)
    return found
