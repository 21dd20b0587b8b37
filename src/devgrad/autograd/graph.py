"""Looking into the graph, and deciding what it keeps: PyTorch's ``torch.autograd.graph``."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import devgrad  # tensors and operations stand above: their names are looked up when called

from ._graph import Edge, Node
from ._hooks import RemovableHandle, add_prehook
from ._modes import mode, set_recorder
from ._provenance import user_line
from ._walk import nodes_from

__all__ = ["GradientEdge", "Node", "allow_mutation_on_saved_tensors",
           "disable_saved_tensors_hooks", "get_gradient_edge", "increment_version",
           "register_multi_grad_hook", "save_on_cpu", "saved_tensors_hooks"]  # fmt: skip


# --- saved tensors --------------------------------------------------------------------------------


class _Packed:
    """Stands where a node's saved tensors were; unpacked, it gives what the hook makes of them."""

    __slots__ = ("entries", "unpack")

    def __init__(self, entries: Sequence[Any], unpack: Callable[[Any], Any]) -> None:
        self.entries = entries
        self.unpack = unpack

    def __iter__(self) -> Iterator[Any]:
        return iter([self._unpacked(entry) for entry in self.entries])

    def _unpacked(self, entry: Any) -> Any:
        if entry.__class__ is list:
            return [self._unpacked(part) for part in entry]
        if entry.__class__ is not _Pack:
            return entry
        tensor = self.unpack(entry.content)
        if not isinstance(tensor, devgrad.Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                f"type {type(tensor).__name__}"
            )
        return tensor._array, [0, None], 0


class _Pack(NamedTuple):
    content: Any  # what the pack hook returned


class _Packer:
    """Recorder: has the pack hook make something else of what each node saves."""

    def __init__(
        self, pack: Callable[[Any], Any], unpack: Callable[[Any], Any], outer: Any
    ) -> None:
        self.pack, self.unpack = pack, unpack
        # Other hooks are replaced by these; forward mode goes on.
        self.outer: Any = outer.outer if isinstance(outer, _Packer) else outer

    def made(self, node: Any) -> None:
        if self.outer is not True:
            self.outer.made(node)
        if not node.releases:
            return
        before, mode.grad = mode.grad, False
        try:
            parts = zip(node.saved_parts(), node.saved, strict=True)
            entries = [self.packed(tensor, raw) for tensor, raw in parts]
        finally:
            mode.grad = before
        node.saved = _Packed(entries, self.unpack)

    def packed(self, tensor: Any, raw: Any) -> Any:
        """What stands for a saved tensor (or a list of them)."""
        if tensor is None:
            return raw
        if isinstance(tensor, list):
            return [self.packed(t, r) for t, r in zip(tensor, raw, strict=True)]
        version = tensor._version
        content = self.pack(tensor)
        if tensor._version != version:
            raise RuntimeError(
                "A saved tensor pack hook is modifying its input in place. Tensors provided as "
                "input to pack hook can not be modified by in-place operations as this can lead "
                "to unexpected side-effects. Please open an issue if you need to perform "
                "in-place operations on the input to a pack hook."
            )
        return _Pack(content)


class saved_tensors_hooks:
    """Within the block, ``pack_hook(tensor)`` is kept in place of each tensor that a derivative
    will need, and ``unpack_hook`` of that gives the tensor back.

    Raises:
        RuntimeError: the hooks are disabled; the pack hook changes its tensor in place.
        TypeError: when the graph is used, if the unpack hook gives no tensor.

    >>> import devgrad
    >>> x = devgrad.tensor([0.5, 1.25], requires_grad=True)
    >>> with devgrad.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([1.0000, 2.5000])
    """

    _before: Any = None

    def __init__(self, pack_hook: Callable[[Any], Any], unpack_hook: Callable[[Any], Any]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        if _disabled[-1] is not None:
            raise RuntimeError(_disabled[-1])
        self._before = (mode.recorder, self._before)
        set_recorder(_Packer(self.pack_hook, self.unpack_hook, mode.recorder))

    def __exit__(self, *exc: object) -> None:
        before, self._before = self._before
        set_recorder(before)


_disabled: list[str | None] = [None]  # why hooks are refused now


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Within the block, `saved_tensors_hooks` raises a RuntimeError with this text."""
    if mode.recorder is not True:
        raise RuntimeError(error_message)
    _disabled.append(error_message)
    try:
        yield
    finally:
        _disabled.pop()


class save_on_cpu(saved_tensors_hooks):
    """Within the block, what derivatives will need waits in the memory of the CPU.

    Args:
        pin_memory: keep it in pinned memory, from which copies to the device are faster.
        device_type: the device that the tensors come from.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Any) -> Any:
            copy = tensor.detach().to("cpu")
            if tensor.is_cpu:
                copy = copy.clone()
            elif pin_memory:
                copy = copy.pin_memory()
            return tensor.device, copy

        def unpack(packed: Any) -> Any:
            device, copy = packed
            return copy.to(device, non_blocking=pin_memory)

        super().__init__(pack, unpack)


class allow_mutation_on_saved_tensors(saved_tensors_hooks):
    """Within the block, tensors that derivatives need may be changed in place: they are copied
    when they are saved."""

    def __init__(self) -> None:
        super().__init__(lambda tensor: tensor.detach().clone(), lambda copy: copy)


# --- edges and hooks ------------------------------------------------------------------------------


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes: a node, and which of its outputs the tensor is."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Any) -> GradientEdge:
    """Where the gradient of ``tensor`` goes.

    Raises:
        RuntimeError: it does not require grad.
    """
    edge = tensor._own_edge()
    if edge is None:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does "
                           "not require gradients")  # fmt: skip
    return GradientEdge(edge.node, edge.index)


def increment_version(tensor: Any) -> None:
    """Count a change in place that devgrad could not see, made to the array itself.

    Args:
        tensor: one tensor, or several.
    """
    for x in (tensor,) if isinstance(tensor, devgrad.Tensor) else tensor:
        if x._changes is None:
            raise RuntimeError("Inference tensors do not track version counter.")
        x._changes[0] += 1
        x._changes[1] = user_line()


class _MultiHandle(RemovableHandle):
    """Takes several hooks away at once."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        super().__init__(OrderedDict())
        self.handles = handles

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Any], fn: Callable[..., Any], *, mode: str = "all"
) -> RemovableHandle:
    """Call ``fn`` with the gradients of several tensors, once in each backward pass.

    Args:
        tensors: they require grad.
        fn: with ``mode="all"`` it is given a list of the gradients, with None for tensors that the
            pass does not reach, when all are known; with ``"any"`` the first gradient, at once.

    Returns:
        A handle that takes the hook away.

    >>> import devgrad
    >>> a, b = devgrad.ones(2, requires_grad=True), devgrad.ones(2, requires_grad=True)
    >>> handle = devgrad.autograd.graph.register_multi_grad_hook([a, b], lambda grads: print(grads))
    >>> (a * 2 + b * 3).sum().backward()
    [tensor([2., 2.]), tensor([3., 3.])]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    edges: list[Edge | None] = [tensor._own_edge() for tensor in tensors]
    gathering = _Gathering(edges, fn, mode == "all")
    return _MultiHandle(
        [add_prehook(e, gathering.hook(i)) for i, e in enumerate(edges) if e is not None]
    )


class _Gathering:
    """Collects the gradients of several tensors, in each backward pass anew."""

    def __init__(self, edges: Sequence[Edge | None], fn: Callable[[Any], Any], all: bool) -> None:
        self.edges, self.fn, self.all = edges, fn, all

    def hook(self, index: int) -> Callable[[Any], None]:
        """The hook of one of the tensors."""

        def gather(g: Any) -> None:
            run = mode.run
            if self not in run.notes:
                run.notes[self] = ([None] * len(self.edges), self._expected(run))
                if not self.all:
                    self.fn(g)
            grads, missing = run.notes[self]
            grads[index] = g
            missing.discard(index)
            if not missing and self.all:
                self.fn(grads)

        return gather

    def _expected(self, run: Any) -> set[int]:
        """Which of the tensors this pass will reach."""
        reached = {node.rank for node in nodes_from(run.roots)}
        if run.only is not None:
            reached &= run.only
        edges = enumerate(self.edges)
        return {i for i, edge in edges if edge is not None and edge.rank in reached}
