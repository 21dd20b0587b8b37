"""Derivatives compared with difference quotients: PyTorch's ``gradcheck`` and ``gradgradcheck``.

A Jacobian has a row here for each element of an input and a column for each of an output. One is
measured: every element of the inputs is moved a little to both sides. The other is computed, a
backward pass for each element of the outputs. In fast mode only one number of each is compared,
vᵀJu for random vectors u and v, which takes two calls and one backward pass.

A complex output counts as two real functions, its real and its imaginary part. By a complex input
z = x + iy a real function has the gradient ∂/∂x + i ∂/∂y, PyTorch's convention.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import devgrad as _devgrad

from ..device import promote_types, user_stacklevel
from ._api import grad
from ._graph import Edge, Node, next_rank
from ._provenance import user_line

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Tensors = tuple[Any, ...]

# Tensors and operations stand above this layer: their names are looked up when they are needed.
devgrad: Any = _devgrad


class GradcheckError(RuntimeError):
    """What `gradcheck` and `gradgradcheck` raise where a derivative is wrong."""


@dataclass(frozen=True)
class Check:
    """One function of which a derivative is checked, and how exactly.

    Attributes:
        func, inputs: what is called with what.
        part: ``"real"`` or ``"imaginary"``, where ``func`` gives that part of complex outputs, or
            is given that part of complex inputs.
        complex_outputs, complex_inputs: the numbers of those, of the differentiable ones.
    """

    func: Callable[..., Any]
    inputs: Tensors
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    part: str = ""
    complex_outputs: frozenset[int] = frozenset()
    complex_inputs: frozenset[int] = frozenset()

    def call(self) -> Tensors:
        return _as_tuple(self.func(*self.inputs))

    @property
    def targets(self) -> Tensors:
        """The inputs that gradients are wanted of."""
        return tuple(x for x in self.inputs if _is_tensor(x) and x.requires_grad)


def _is_tensor(x: Any) -> bool:
    return hasattr(x, "_edge")


def _as_tuple(x: Any) -> Tensors:
    return tuple(x) if isinstance(x, (tuple, list)) else (x,)


def _differentiable(outputs: Any) -> Tensors:
    return tuple(y for y in _as_tuple(outputs) if y.requires_grad)


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the gradients of ``func`` with difference quotients.

    Args:
        func: takes tensors, returns a tensor or a tuple of tensors.
        inputs: a tensor or a tuple of them: where. Those that require grad are checked; they
            should be float64 or complex128, since quotients of less precise numbers say little.
        eps: how far the inputs are moved.
        atol, rtol: how much the two may differ, as in `allclose`.
        raise_exception: False returns False instead of raising `GradcheckError`.
        nondet_tol: how much two backward passes from the same gradient may differ.
        check_undefined_grad: also check that outputs may receive no gradient at all.
        check_grad_dtypes: accepted as in PyTorch; the engine gives every gradient its tensor's
            dtype.
        check_batched_grad: compare ``grad(is_grads_batched=True)`` with one call for each.
        check_forward_ad: compare the tangents of forward mode, too.
        check_batched_forward_grad: needs vmap of forward mode, which is not there yet.
        check_backward_ad: False leaves out everything that needs a backward pass.
        fast_mode: compare one random projection of the Jacobians instead of the whole.
        masked: accepted as in PyTorch, where it concerns sparse tensors; they do not exist here.

    Returns:
        True.

    Raises:
        GradcheckError: a derivative differs from the quotient, or a pass from another pass.
        ValueError: no input requires grad.
        RuntimeError: an input's elements overlap in memory.
        NotImplementedError: batched gradients were asked for.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0], dtype=devgrad.float64, requires_grad=True)
    >>> devgrad.autograd.gradcheck(devgrad.tanh, x)
    True
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if check_batched_grad and not check_backward_ad:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_backward_ad to be True"
        )
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError(
            "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
        )
    if check_batched_forward_grad:
        raise NotImplementedError(
            "check_batched_forward_grad=True needs vmap of forward mode, which is not there yet"
        )
    check = Check(func, _as_tuple(inputs), eps, atol, rtol, nondet_tol)
    _check_inputs(check.inputs)
    try:
        outputs = _differentiable(check.call())
        for part in _real_parts(check) if check_backward_ad else ():
            (_check_projection if fast_mode else _check_jacobians)(part)
        if check_forward_ad:
            from ._gradcheck_forward import check_forward

            check_forward(check, fast_mode, check_undefined_grad)
        if not check_backward_ad:
            return True
        for index, output in enumerate(outputs if check_batched_grad else ()):
            _check_batched(check, output, index)
        if outputs:
            _check_zeros(check, outputs)
        if check_undefined_grad and outputs:
            _check_undefined(check)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_inputs(inputs: Tensors) -> None:
    wanted = [(i, x) for i, x in enumerate(inputs) if _is_tensor(x) and x.requires_grad]
    if not wanted:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    for i, x in wanted:
        if x.dtype not in (devgrad.float64, devgrad.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                UserWarning,
                stacklevel=user_stacklevel(),
            )
        if x.numel() and any(stride <= 0 and n > 1 for stride, n in zip(x.stride(), x.shape)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients "
                "correctly. You should call .contiguous on the input before passing it to "
                "gradcheck."
            )


def _real_parts(check: Check) -> Iterator[Check]:
    """The real functions that the one to be checked consists of."""
    outputs = check.call()
    if not any(y.is_complex() for y in outputs):
        yield check
        return
    numbers = frozenset(i for i, y in enumerate(_differentiable(outputs)) if y.is_complex())
    for part, take in (("imaginary", devgrad.imag), ("real", devgrad.real)):

        def func(*inputs: Any, take: Any = take) -> Tensors:
            found = _as_tuple(check.func(*inputs))
            return tuple(take(y) if y.is_complex() else y for y in found)

        yield replace(check, func=func, part=part, complex_outputs=numbers)


# --- the quotients --------------------------------------------------------------------------------


def _quotient(check: Check, move: Callable[[int], None]) -> list[Any]:
    """For each output its change, when inputs are moved to both sides, by 2 ``eps``."""
    try:
        move(-1)
        low = [y.detach().clone() for y in check.call()]
        move(1)
        high = [y.detach().clone() for y in check.call()]
    finally:
        move(0)
    for a, b in zip(low, high):
        for what in ("shape", "dtype"):
            one, other = getattr(a, what), getattr(b, what)
            if one != other:
                raise AssertionError(
                    f"Expected `func` to return outputs with the same {what} when inputs are "
                    f"perturbed by {check.eps}, but got: {what}s {one} and {other}."
                )
    return [((b - a) / (2 * check.eps)).reshape(-1) for a, b in zip(low, high)]


def quotient_along(check: Check, x: Any, place: Any, step: Any) -> list[Any]:
    """The derivatives of the outputs when ``x[place]`` moves in the direction ``step``."""
    data = x.data  # its changes go unseen by autograd
    before = data[place].clone()

    def move(side: int) -> None:
        data[place] = before + side * check.eps * step if side else before

    return _quotient(check, move)


def numerical_jacobians(check: Check) -> list[list[Any]]:
    """The measured Jacobians: for each input, for each output."""
    found = []
    for x in check.targets:
        rows = []
        for place in itertools.product(*map(range, x.shape)):
            row = quotient_along(check, x, place, 1.0)
            if x.is_complex():
                other = quotient_along(check, x, place, 1j)
                row = [dx + 1j * dy for dx, dy in zip(row, other)]
            rows.append(row)
        columns = zip(*rows) if rows else [[] for _ in check.call()]
        found.append([devgrad.stack(c) if c else None for c in columns])
    return found


# --- the gradients --------------------------------------------------------------------------------


def _backward(check: Check, output: Any, g: Any) -> list[Any]:
    """The gradients of one output by the inputs, flat."""
    grads = grad(output, check.targets, g, retain_graph=True, allow_unused=True)
    return [
        devgrad.zeros_like(x).detach().reshape(-1) if d is None else d.clone().reshape(-1)
        for d, x in zip(grads, check.targets)
    ]


def _twice(check: Check, backward: Callable[[], list[Any]]) -> list[Any]:
    """What ``backward`` gives, if it gives it again."""
    once, again = backward(), backward()
    for a, b in zip(once, again):
        if a is not None and a.numel() and (a - b).abs().max().item() > check.nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and "
                "grad_output multiple times gives different values, although analytical gradient "
                f"matches numerical gradient.The tolerance for nondeterminism was "
                f"{check.nondet_tol}. Pass nondet_tol=… where that is to be expected"
            )
    return once


def _analytical(check: Check, output: Any) -> list[Any]:
    """The computed Jacobians of one output: for each input."""

    def rows() -> list[Any]:
        found = []
        for j in range(output.numel()):
            one = devgrad.zeros_like(output).detach().reshape(-1)
            one[j] = 1
            found.append(_backward(check, output, one.reshape(output.shape)))
        columns = zip(*found) if found else [[] for _ in check.targets]
        return [devgrad.stack(c, 1) if c else None for c in columns]

    return _twice(check, rows)


def close(a: Any, b: Any, rtol: float, atol: float) -> bool:
    kind = promote_types(a.dtype, b.dtype)
    return bool(devgrad.allclose(a.to(kind), b.to(kind), rtol, atol))


def mismatch(
    check: Check, numerical: Any, analytical: Any, output: int, input: int, forward: bool = False
) -> str:
    """PyTorch's text for two Jacobians that differ."""
    split = input in check.complex_inputs if forward else output in check.complex_outputs
    what = "inputs" if forward else "outputs"
    about = f"While considering the {check.part} part of complex {what} only, " if split else ""
    return (
        f"{about}Jacobian {'computed with forward mode ' if forward else ''}mismatch for output "
        f"{output} with respect to input {input},\nnumerical:{numerical}\n"
        f"analytical:{analytical}\n"
    )


def _check_jacobians(check: Check) -> None:
    """Compare all elements."""
    outputs = check.call()
    numerical = numerical_jacobians(check)
    wanted = [k for k, y in enumerate(outputs) if y.requires_grad]
    if not wanted:
        expect_zero([j for row in numerical for j in row if j is not None], 0.0)
    for i, k in enumerate(wanted):
        for j, a in enumerate(_analytical(check, outputs[k])):
            n = numerical[j][k]
            if n is not None and a is not None and not close(a, n, check.rtol, check.atol):
                raise GradcheckError(mismatch(check, n, a, i, j))


def expect_zero(quotients: Sequence[Any], tolerance: float) -> None:
    if any(q.numel() and q.abs().max().item() > tolerance for q in quotients):
        raise GradcheckError("Numerical gradient for function expected to be zero")


# --- fast mode ------------------------------------------------------------------------------------


def unit_vector(x: Any, generator: Any) -> Any:
    """A random direction with no negative entries, real, of the size of ``x``."""
    v = devgrad.rand(x.numel(), generator=generator, dtype=devgrad.float64).to(x.device)
    return v / v.norm() if x.numel() else v


def _check_projection(check: Check) -> None:
    """Compare vᵀJu, for each pair of an input and an output."""
    generator = devgrad.Generator()  # the user's stream stays as it is
    outputs = check.call()
    wanted = [k for k, y in enumerate(outputs) if y.requires_grad]
    directions = []
    for x in check.targets:
        parts = [unit_vector(x, generator) for _ in range(1 + x.is_complex())]
        directions.append(parts)
    cotangents = [unit_vector(outputs[k], generator) for k in wanted]
    quotients = []
    for x, parts in zip(check.targets, directions):
        row = [
            quotient_along(check, x, ..., unit * u.reshape(x.shape).to(x.dtype))
            for unit, u in zip((1, 1j), parts)
        ]
        quotients.append([q[0] if len(q) == 1 else q[0] + 1j * q[1] for q in zip(*row)])
    if not wanted:
        expect_zero([q for row in quotients for q in row], check.nondet_tol)
    for i, (k, v) in enumerate(zip(wanted, cotangents)):
        y = outputs[k]
        grads = _twice(check, lambda y=y, v=v: _backward(check, y, v.reshape(y.shape).to(y.dtype)))  # type: ignore[misc]
        for j, (g, parts) in enumerate(zip(grads, directions)):
            if len(parts) == 2:
                a = (devgrad.real(g) * parts[0]).sum() + 1j * (devgrad.imag(g) * parts[1]).sum()
            else:
                a = (g * parts[0]).sum()
            n = (quotients[j][k] * v).sum()
            # Each element may be off by atol: so many of them are summed here.
            atol = check.atol * sum(u.sum().item() for u in parts) * v.sum().item()
            if not close(a, n, check.rtol, atol):
                raise GradcheckError(mismatch(check, n, a, i, j) + _in_full(check, i, k, j))


def _in_full(check: Check, i: int, k: int, j: int) -> str:
    """The whole Jacobians, for the message of a check that failed in fast mode."""
    numerical = numerical_jacobians(check)[j][k]
    analytical = _analytical(check, check.call()[k])[j]
    text = (
        "\nThe above quantities relating the numerical and analytical jacobians are computed \n"
        "in fast mode. See: https://github.com/pytorch/pytorch/issues/53876 for more background \n"
        "about fast mode. Below, we recompute numerical and analytical jacobians in slow mode:\n\n"
        f"Numerical:\n {numerical}\nAnalytical:\n{analytical}\n\n"
        "The max per-element difference (slow mode) is: "
        f"{(numerical - analytical).abs().max().item()}.\n"
    )
    if close(analytical, numerical, check.rtol, check.atol):
        text += (
            "Fast gradcheck failed but element-wise differences are small. This means that the\n"
            "test might've passed in slow_mode! Call with `fast_mode=False`."
        )
    return text


# --- properties of the backward pass --------------------------------------------------------------


def _check_batched(check: Check, output: Any, index: int) -> None:
    """A batch of gradients at once must give what each of them gives."""
    generator = devgrad.Generator()
    rows = [
        devgrad.randn(output.shape, generator=generator, dtype=output.dtype, device=output.device)
        for _ in range(2)
    ]
    single = [_backward(check, output, row) for row in rows]
    try:
        batch = grad(
            output, check.targets, devgrad.stack(rows), retain_graph=True, allow_unused=True,
            is_grads_batched=True,
        )  # fmt: skip
    except NotImplementedError:
        raise
    except RuntimeError as error:
        raise GradcheckError(f"While computing batched gradients, got: {error}") from error
    for i, (found, *expected) in enumerate(zip(batch, *single)):
        wanted = devgrad.stack(expected)
        if found is not None and not devgrad.allclose(found.reshape(wanted.shape), wanted):
            raise GradcheckError(
                f"For output {index} and input {i}:\n\ngradcheck or gradgradcheck failed while "
                f"testing batched gradient computation.\n\nGot:\n{found}\n\nExpected:\n{wanted}\n"
            )


def _check_zeros(check: Check, outputs: Tensors) -> None:
    """A backward pass from zeros must give zeros."""
    zeros = [devgrad.zeros_like(y).detach() for y in outputs]
    grads = grad(outputs, check.targets, zeros, retain_graph=True, allow_unused=True)
    if not all(g is None or bool((g == 0).all()) for g in grads):
        raise GradcheckError("backward not multiplied by grad_output")


class _Undefined(Node):
    """Passes no gradient on, as if its output had not been used."""

    __slots__ = ()

    def __init__(self, output: Any) -> None:
        self.edges = (output._own_edge(),)
        self.saved = ()
        self.rank = next_rank()
        self.shape, self.tensor_type = output._array.shape, output._type
        self.code, self.lasti = user_line()

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return (None,)

    vjp_on_tensors = vjp

    @classmethod
    def after(cls, output: Any) -> Any:
        """``output``, with such a node behind it."""
        cut = output.detach()
        cut._edge = cls(output)
        return cut


def _check_undefined(check: Check) -> None:
    """Outputs that receive no gradient, all of them or one, must do no harm.

    An operation of several outputs is then given None for some of their gradients.
    """
    count = len(_differentiable(check.call()))
    for missing in [set(range(count)), *([{i} for i in range(count)] if count > 1 else [])]:
        outputs = [
            _Undefined.after(y) if i in missing else y
            for i, y in enumerate(_differentiable(check.call()))
        ]
        zeros = [devgrad.zeros_like(y).detach() for y in outputs]
        try:
            grads = grad(outputs, check.targets, zeros, allow_unused=True)
        except RuntimeError as error:
            raise GradcheckError(
                "Expected backward function to handle undefined output grads. It was given None "
                f"for the gradient of an output, and raised: {error}"
            ) from error
        if not all(g is None or bool((g == 0).all()) for g in grads):
            raise GradcheckError(
                "Expected all input grads to be undefined or zero when all output grads are "
                "undefined or zero."
            )


# --- second order ---------------------------------------------------------------------------------


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Compare the gradients of the gradients of ``func`` with difference quotients.

    What is checked is the backward pass itself, as a function of the inputs and of the gradients
    of the outputs.

    Args:
        grad_outputs: the gradients of those outputs that require grad; default random ones.
        gen_non_contig_grad_outputs: whether those shall not be contiguous.
        check_fwd_over_rev: also take the backward pass in forward mode.
        check_rev_over_rev: False leaves out what takes a backward pass through a backward pass.

    The other arguments, and what is raised, are `gradcheck`'s.

    >>> import devgrad
    >>> x = devgrad.tensor([1.0, 2.0], dtype=devgrad.float64, requires_grad=True)
    >>> devgrad.autograd.gradgradcheck(devgrad.tanh, x)
    True
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError(
            "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        )
    for name, asked in (
        ("check_undefined_grad", check_undefined_grad), ("check_batched_grad", check_batched_grad),
    ):  # fmt: skip
        if asked and not check_rev_over_rev:
            raise AssertionError(f"Setting {name}=True requires check_rev_over_rev to be True")
    inputs = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*inputs))
        gradients = _random_gradients(outputs, gen_non_contig_grad_outputs)
    else:
        gradients = _as_tuple(grad_outputs)
    if not gradients:
        raise ValueError("gradgradcheck: no output of func requires grad")
    wanted = [i for i, x in enumerate(inputs) if _is_tensor(x) and x.requires_grad]

    def backward_pass(*args: Any) -> Tensors:
        point, cotangents = args[: len(inputs)], args[len(inputs) :]
        by = [point[i].requires_grad_() for i in wanted]  # in forward mode they are cut off
        grads = grad(
            _differentiable(func(*point)), by, cotangents,
            create_graph=True, allow_unused=True,
        )  # fmt: skip
        return tuple(g for g in grads if g is not None)

    return gradcheck(
        backward_pass, (*inputs, *gradients), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad, check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad, fast_mode=fast_mode,
        check_forward_ad=check_fwd_over_rev, check_backward_ad=check_rev_over_rev, masked=masked,
    )  # fmt: skip


def _random_gradients(outputs: Tensors, scattered: bool) -> Tensors:
    generator = devgrad.Generator()
    found = []
    for y in outputs:
        # As PyTorch's make_tensor: between -1 and 1.
        g = devgrad.rand(y.shape, generator=generator, dtype=y.dtype, device=y.device)
        g = 2 * g - (1 + 1j if y.is_complex() else 1)
        if scattered:
            g = devgrad.stack((g, g), -1)[..., 0]
        found.append(g.detach().requires_grad_())
    return tuple(found)
