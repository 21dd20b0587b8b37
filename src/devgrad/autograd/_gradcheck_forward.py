"""The part of `gradcheck` that is about forward mode: Jacobians by columns.

By a complex input z = x + iy, a function is taken for one of x alone and for one of y alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import devgrad as _devgrad

from . import forward_ad as fwAD
from .gradcheck import (
    Check,
    GradcheckError,
    close,
    expect_zero,
    mismatch,
    numerical_jacobians,
    quotient_along,
    unit_vector,
)

__all__ = ["check_forward"]

# Tensors and operations stand above this layer: their names are looked up when they are needed.
devgrad: Any = _devgrad


def check_forward(check: Check, fast: bool, undefined: bool) -> None:
    """Compare tangents with difference quotients.

    Args:
        fast: compare one random combination of the columns for each input.
        undefined: also check that an input without a tangent counts as one with zeros.

    Raises:
        GradcheckError: they differ.
    """
    for part in _by_real_inputs(check):
        outputs = part.call()
        wanted = [k for k, y in enumerate(outputs) if y.requires_grad]
        (_compare_projections if fast else _compare_columns)(part, wanted)
        if undefined:
            _check_undefined(part)


def _by_real_inputs(check: Check) -> Iterator[Check]:
    targets = {id(x) for x in check.targets}
    places = [i for i, x in enumerate(check.inputs) if id(x) in targets and x.is_complex()]
    if not places:
        yield check
        return
    order = [id(x) for x in check.targets]
    numbers = frozenset(order.index(id(check.inputs[i])) for i in places)

    def joined(real: Any, imag: Any) -> Any:
        return real + 1j * imag

    for part, take, join in (
        ("imaginary", devgrad.imag, lambda given, z: joined(z.real, given)),
        ("real", devgrad.real, lambda given, z: joined(given, z.imag)),
    ):

        def func(*inputs: Any, join: Callable[[Any, Any], Any] = join) -> Any:
            whole = [
                join(x, check.inputs[i].detach()) if i in places else x
                for i, x in enumerate(inputs)
            ]
            return check.func(*whole)

        inputs = tuple(
            take(x.detach()).clone().requires_grad_() if i in places else x
            for i, x in enumerate(check.inputs)
        )
        yield replace(check, func=func, inputs=inputs, part=part, complex_inputs=numbers)


def _tangents(check: Check, directions: dict[int, Any]) -> list[Any]:
    """The outputs' tangents where the inputs have these, by their numbers among the targets;
    others have none. None for outputs that cannot have one."""
    count = 0
    with fwAD.dual_level():
        given = []
        targets = {id(x) for x in check.targets}
        for x in check.inputs:
            if id(x) in targets:
                direction = directions.get(count)
                x = x.detach() if direction is None else fwAD.make_dual(x.detach(), direction)
                count += 1
            given.append(x)
        found: list[Any] = []
        outputs = check.func(*given)
        for y in outputs if isinstance(outputs, (tuple, list)) else (outputs,):
            if not (y.is_floating_point() or y.is_complex()):
                found.append(None)
                continue
            primal, tangent = fwAD.unpack_dual(y)
            found.append(devgrad.zeros_like(primal) if tangent is None else tangent)
        return [None if t is None else t.detach().reshape(-1) for t in found]


def _directions(check: Check, number: int, direction: Any) -> dict[int, Any]:
    """This direction for one target, and zeros for the others."""
    zeros = {i: devgrad.zeros_like(x).detach() for i, x in enumerate(check.targets)}
    return {**zeros, number: direction}


def _compare_columns(check: Check, wanted: list[int]) -> None:
    numerical = numerical_jacobians(check)
    if not wanted:
        expect_zero([j for row in numerical for j in row if j is not None], 0.0)
    for j, x in enumerate(check.targets):
        rows = []
        for place in range(x.numel()):
            one = devgrad.zeros_like(x).detach().reshape(-1)
            one[place] = 1
            rows.append(_tangents(check, _directions(check, j, one.reshape(x.shape))))
        for i, k in enumerate(wanted):
            n = numerical[j][k]
            if n is not None:
                a = devgrad.stack([row[k] for row in rows])
                if not close(a, n, check.rtol, check.atol):
                    raise GradcheckError(mismatch(check, n, a, i, j, forward=True))


def _compare_projections(check: Check, wanted: list[int]) -> None:
    generator = devgrad.Generator()
    for j, x in enumerate(check.targets):
        u = unit_vector(x, generator).to(x.dtype)
        quotients = quotient_along(check, x, ..., u.reshape(x.shape))
        if not wanted:
            expect_zero(quotients, check.nondet_tol)
        tangents = _tangents(check, _directions(check, j, u.reshape(x.shape)))
        for i, k in enumerate(wanted):
            atol = check.atol * u.sum().item()
            if not close(tangents[k], quotients[k], check.rtol, atol):
                raise GradcheckError(mismatch(check, quotients[k], tangents[k], i, j, forward=True))


def _check_undefined(check: Check) -> None:
    generator = devgrad.Generator()
    random = {
        i: unit_vector(x, generator).to(x.dtype).reshape(x.shape)
        for i, x in enumerate(check.targets)
    }
    for number, x in enumerate(check.targets):
        zeros = _tangents(check, {**random, number: devgrad.zeros_like(x).detach()})
        none = _tangents(check, {i: u for i, u in random.items() if i != number})
        for index, (a, b) in enumerate(zip(zeros, none)):
            if a is not None and not devgrad.allclose(a, b):
                raise GradcheckError(
                    f"Mismatch in tangent values for output with index: {index} when input "
                    f"{number} has an undefined tangent value. Got: {b} but expected: {a}"
                )
