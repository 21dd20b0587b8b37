"""How elementwise optimizers reach all parameters with few calls of the array library.

An elementwise rule treats every element by itself, so elements may be put together and cut apart
at will. Small parameters are *packed*: their elements, gradients and state lie end to end in flat
arrays, and the rule is called once for all of them; for so little, calls cost more than elements.
Large parameters are taken in *blocks* that stay in the processor's cache, since a rule goes over
its arrays a dozen times. Either way the rule is the same few lines on bare arrays. A GPU may have a
*kernel* that does the same: then one launch updates all parameters where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .._tensor import Tensor, wrap
from ..autograd._provenance import user_line
from ..device import CPU, get_default_dtype, when_several
from .optimizer import Optimizer, evaluated, number

__all__ = ["FRESH", "MAXIMIZE", "NESTEROV", "Elementwise", "Kernel", "slope"]

# In elements. A GPU has no such cache, but calls (launches of kernels) are dearer there.
_SMALL = {"cpu": 1 << 14, "cuda": 1 << 18}
_BLOCK = {"cpu": 1 << 17, "cuda": 1 << 62}

Update = Callable[..., None]

# Flags of kernels, see ``device/kernels/optimizers.cu``.
MAXIMIZE, NESTEROV, FRESH = 1, 2, 4


class Kernel(NamedTuple):
    """A step as a kernel has it: its name, flags and numbers, and for how many arrays of state."""

    name: str
    flags: int
    numbers: tuple[float, ...]
    arrays: int


def slope(xp: Any, p: Any, g: Any, out: Any, maximize: bool, weight_decay: float) -> Any:
    """What is to be descended: ``g``, negated to ascend, with the share of the weight decay.

    ``g`` itself is never changed; ``out`` is written to if the result is another.
    """
    if weight_decay:
        xp.multiply(p, weight_decay, out)
        return xp.subtract(out, g, out) if maximize else xp.add(out, g, out)
    return xp.negative(g, out) if maximize else g


class Elementwise(Optimizer):
    """The base of optimizers with an elementwise rule. A subclass says:

    * `_numbers`: the numbers that it keeps for each parameter, with their first values;
    * `_arrays`: the same for the tensors that it keeps, of the parameter's size;
    * `_rule`: the function that updates arrays.
    """

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {"step": 0.0}

    def _arrays(self, group: dict[str, Any]) -> dict[str, float]:
        raise NotImplementedError

    def _rule(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Update:
        """The update for one step, as a function of arrays.

        Args:
            group: the options.
            numbers: the parameters' numbers by name: host arrays of one value, repeated. "step"
                has been counted up.
            fresh: whether this is the first step of these parameters.

        Returns:
            ``update(xp, p, g, a, b, *arrays)``: changes ``p`` and the arrays of `_arrays` in
            place by the gradient ``g``, which is not changed; ``a`` and ``b`` are for scratch.
        """
        raise NotImplementedError

    def _kernel(self, group: dict[str, Any], numbers: dict[str, Any], fresh: bool) -> Kernel | None:
        """The same step as a kernel; None if there is none."""
        return None

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once, by their gradients. See `Optimizer.step`."""
        loss = evaluated(closure)
        line = user_line()
        for index, group in enumerate(self.param_groups):
            for pieces in self._pieces(index, group):
                pieces.update(self._rule, self._kernel, group, line)
        return loss

    def _pieces(self, index: int, group: dict[str, Any]) -> list[_Pieces]:
        """The group's parameters that have a gradient, as arranged in the last step, or anew."""
        params = [p for p in group["params"] if p._grad is not None]
        names = (*self._numbers(group), *self._arrays(group))
        key = (names, [id(p) for p in params])
        plans = self.__dict__.setdefault("_plans", {})
        plan = plans.get(index)
        if plan is None or plan[0] != key or not all(x.is_valid(self.state) for x in plan[1]):
            plan = plans[index] = (key, self._arrange(group, params))
        found: list[_Pieces] = plan[1]
        return found

    def _arrange(self, group: dict[str, Any], params: list[Tensor]) -> list[_Pieces]:
        numbers, arrays = self._numbers(group), self._arrays(group)
        packs: dict[Any, list[Tensor]] = {}
        seen: set[int] = set()
        for p in params:
            state = self.state.get(p, {})
            fresh = not state
            values = tuple([float(number(state.get(n, first))) for n, first in numbers.items()])
            memory = id(p._changes)  # parameters over the same memory are updated one by one
            small = memory not in seen and (
                p._array.size <= _SMALL[p._type.device.type] or self._in_one_launch(p._type)
            )
            seen.add(memory)
            key = (p._type, fresh, values) if small else id(p) if memory not in packs else object()
            packs.setdefault(key, []).append(p)
        pieces = []
        scratch: dict[Any, Any] = {}
        for members in packs.values():
            kind = members[0]._type
            with kind.xp.on_device(kind.device.index):
                pieces.append(_Pieces(members, self.state, numbers, arrays, scratch))
        return pieces

    def _in_one_launch(self, kind: Any) -> bool:
        """Whether parameters of this type are updated by a kernel, of whatever size."""
        own = type(self)._kernel is not Elementwise._kernel
        return own and kind.xp.fused_step is not None and kind.dtype.itemsize > 2

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.pop("_plans", None)


class _Pieces:
    """Parameters for which the rule is called together, with their state.

    All are of one type and at the same step. Their state is in flat arrays, of which the tensors
    in the optimizer's ``state`` are views.
    """

    def __init__(
        self, params: list[Tensor], state: Any, numbers: dict[str, float],
        arrays: dict[str, float], scratch: dict[Any, Any],
    ) -> None:  # fmt: skip
        self.params = params
        self.kind = kind = params[0]._type
        self.real = kind.dtype.to_real().array_dtype
        self.fresh = not state.get(params[0])
        self.shapes = [p._array.shape for p in params]
        self.sizes = [p._array.size for p in params]
        # The tensors of the state, to be found as they were left: (state, name, tensor, array).
        self.tensors: list[tuple[dict[str, Any], str, Tensor, Any]] = []
        kept = numbers or arrays  # (plain SGD keeps nothing)
        self.states = [state[p] if kept else state.get(p) for p in params]
        self.numbers = {name: self._gather_numbers(name, x) for name, x in numbers.items()}
        self.changes: list[list[Any]] = []
        self.arrays = [self._gather_arrays(name, x) for name, x in arrays.items()]
        total = sum(self.sizes)
        self.block = min(total, _BLOCK[kind.device.type]) if len(params) == 1 else total
        self.parts = 2 if kind.dtype.is_complex else 1  # real numbers for each element
        self.scratch = scratch  # shared by all pieces, since they are updated one by one
        self.flat: Any = None  # parameters and gradients end to end, see `_update_pack`
        self.table: dict[str, Any] = {}  # where they are, for a kernel

    def _cut(self, flat: Any) -> list[Any]:
        """Views of a flat array in the shapes of the parameters."""
        views, start = [], 0
        for shape, size in zip(self.shapes, self.sizes):
            views.append(flat[start : start + size].reshape(shape))
            start += size
        return views

    def _gather_numbers(self, name: str, first: float) -> Any:
        values = [float(number(state.get(name, first))) for state in self.states]
        kind = CPU.types[get_default_dtype().array_dtype]
        if kind.dtype.itemsize < 4:
            kind = CPU.types[CPU.xp.dtype("float32")]
        column = CPU.xp.asarray(values, dtype=kind.array_dtype)
        for place, state in enumerate(self.states):
            self._keep(state, name, wrap(column[place, ...], kind))
        return column

    def _gather_arrays(self, name: str, first: float) -> Any:
        kind = self.kind
        flat = kind.xp.empty(sum(self.sizes), kind.array_dtype)
        changes = [0, None]
        self.changes.append(changes)
        for state, view in zip(self.states, self._cut(flat)):
            tensor = state.get(name)
            if tensor is None:
                view[...] = first if not kind.dtype.is_complex else complex(first, first)
            else:
                view[...] = tensor.to(kind.device)._array
            self._keep(state, name, wrap(view, kind, changes))
        return flat.view(self.real)

    def _keep(self, state: dict[str, Any], name: str, tensor: Tensor) -> None:
        state[name] = tensor
        self.tensors.append((state, name, tensor, tensor._array))

    def is_valid(self, state: Any) -> bool:
        """Whether parameters and state are still where, and of the kind, that they were."""
        kind = self.kind
        for p, own, shape in zip(self.params, self.states, self.shapes):
            if state.get(p) is not own or p._type is not kind or p._array.shape != shape:
                return False
        for own, name, tensor, array in self.tensors:
            if own.get(name) is not tensor or tensor._array is not array:
                return False
        if len(self.params) > 1:
            for column in self.numbers.values():
                values = column.tolist()
                if values.count(values[0]) != len(values):
                    return False
        return True

    def update(
        self, rule: Callable[..., Update], kernel: Callable[..., Kernel | None],
        group: dict[str, Any], line: Any,
    ) -> None:  # fmt: skip
        """Make one step."""
        if "step" in self.numbers:
            self.numbers["step"] += 1
        fresh, self.fresh = self.fresh, False
        xp = self.kind.xp
        with xp.on_device(self.kind.device.index):
            fused = None if xp.fused_step is None else kernel(group, self.numbers, fresh)
            if fused is None or not self._update_at_once(fused):
                update = rule(group, self.numbers, fresh)
                if len(self.params) > 1:
                    self._update_pack(update)
                else:
                    self._update_blocks(update)
        for p in self.params:
            changes = p._changes
            if changes is not None:
                changes[0] += 1
                changes[1] = line
        for changes in self.changes:
            changes[0] += 1
            changes[1] = line

    def _update_at_once(self, kernel: Kernel) -> bool:
        """By a kernel for all parameters; whether they are what it is made for."""
        params = [p._array for p in self.params]
        grads = [p._grad._array for p in self.params]  # type: ignore[union-attr]
        if self.parts == 2:
            if not all(x.flags.c_contiguous for x in (*params, *grads)):
                return False
            params, grads = ([x.reshape(-1).view(self.real) for x in y] for y in (params, grads))
        state = (*self.arrays, *[None] * (kernel.arrays - len(self.arrays)))
        name, flags, numbers, _ = kernel
        step = self.kind.xp.fused_step
        return bool(step(name, flags, numbers, params, grads, state, self.table))

    def _update_pack(self, update: Update) -> None:
        xp = self.kind.xp
        if self.flat is None:
            flat_p, flat_g = (xp.empty(sum(self.sizes), self.kind.array_dtype) for _ in "pg")
            self.flat = flat_p, flat_g, self._cut(flat_p)
        flat_p, flat_g, views = self.flat
        xp.concatenate([p._grad._array.reshape(-1) for p in self.params], out=flat_g)  # type: ignore[union-attr]
        xp.concatenate([p._array.reshape(-1) for p in self.params], out=flat_p)
        p, g = self._as_real(flat_p), self._as_real(flat_g)
        update(xp, p, g, *self._scratch(p.size), *self.arrays)
        for param, view in zip(self.params, views):
            param._array[...] = view

    def _update_blocks(self, update: Update) -> None:
        xp, (param,) = self.kind.xp, self.params
        array, gradient = param._array, param._grad._array  # type: ignore[union-attr]
        flat = array.reshape(-1)
        p, g = self._as_real(flat), self._as_real(gradient.reshape(-1))
        size, block = p.size, self.block * self.parts
        a, b = self._scratch(block)
        if size <= block:
            update(xp, p, g, a, b, *self.arrays)
        else:
            for start in range(0, size, block):
                here = slice(start, min(start + block, size))
                n = here.stop - start
                state = [x[here] for x in self.arrays]
                update(xp, p[here], g[here], a[:n], b[:n], *state)
        if not array.flags.c_contiguous:
            array[...] = flat.reshape(array.shape)

    def _as_real(self, flat: Any) -> Any:
        return flat if self.parts == 1 else flat.view(self.real)

    def _scratch(self, size: int) -> tuple[Any, Any]:
        """Two arrays of real numbers whose contents mean nothing."""
        key = self.kind.device, self.real
        pair = self.scratch.get(key)
        if pair is None or pair[0].size < size:
            xp = self.kind.xp
            pair = self.scratch[key] = xp.empty(size, self.real), xp.empty(size, self.real)
        return pair[0][:size], pair[1][:size]


@when_several
def _guard() -> None:
    """Let parameters be updated with their own device current, where there are several GPUs."""
    from ..ops._several import guard_methods

    guard_methods(_Pieces, ("__init__", "update"))
