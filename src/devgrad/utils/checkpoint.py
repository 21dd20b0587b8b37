"""Memory for time: compute again in the backward pass what the forward pass did not keep.

`checkpoint` runs a function as usual, and the graph of it is recorded as usual. Then each node that
was made gives up what it saved for its derivative, and gets a `_Kept` in its place. When the
backward pass comes to one of them and unpacks it, the function is run a second time, on the same
arguments and the same random numbers; that makes the same nodes once more, in the same order, and
what they save is handed to the first ones. So a graph with checkpoints is an ordinary graph:
`grad`, second derivatives and checkpoints within checkpoints need nothing special.
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .._random import cuda_generator, fork_rng, get_rng_state, set_rng_state
from .._tensor import Size, Tensor, wrap
from ..amp.autocast_mode import same_autocast
from ..autograd import backward
from ..autograd._graph import Edge, Node, OutputEdge, Released, next_rank
from ..autograd._modes import enable_grad, is_grad_enabled, mode, no_grad, set_recorder
from ..autograd._provenance import line_of, user_line
from ..autograd._walk import kept_arrays
from ..device import dtype_of_array, get_default_device, set_default_device, user_stacklevel

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn",
           "set_checkpoint_debug_enabled", "set_checkpoint_early_stop"]  # fmt: skip

Context = contextlib.AbstractContextManager[Any]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function did not do what the first did."""


def noop_context_fn() -> tuple[Context, Context]:
    """Two contexts that do nothing: the default ``context_fn`` of `checkpoint`."""
    return contextlib.nullcontext(), contextlib.nullcontext()


_settings: dict[str, bool | None] = {"debug": None, "early_stop": None}


@contextlib.contextmanager
def _setting(name: str, value: bool | None) -> Iterator[None]:
    before, _settings[name] = _settings[name], value
    try:
        yield
    finally:
        _settings[name] = before


def set_checkpoint_debug_enabled(enabled: bool | None) -> Context:
    """A ``with`` block in which ``debug`` of `checkpoint` is this; None leaves it to the calls."""
    return _setting("debug", enabled)


def set_checkpoint_early_stop(enable: bool) -> Context:
    """A ``with`` block in which ``early_stop`` of `checkpoint` is this."""
    return _setting("early_stop", enable)


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Context, Context]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, which the backward pass will run again instead of keeping
    what it computed.

    Args:
        function: what to run. It must do the same both times.
        use_reentrant: False, please. True is PyTorch's older way: nothing is recorded at first,
            and only ``backward()`` to all leaves works, from tensors among ``args``.
        context_fn: gives two contexts, one for each run.
        determinism_check: ``"default"`` compares shape, dtype and device of what the two runs
            saved; ``"none"`` does not.
        debug: list the operations of both runs, with their lines, in the message of an error.
        early_stop: end the second run as soon as all that is needed has been computed.
        preserve_rng_state: give the second run the random numbers of the first.

    Returns:
        What ``function`` returns.

    Raises:
        CheckpointError: in the backward pass, if the second run differs from the first.
        RuntimeError: in the backward pass, if an argument has been changed in place.
        ValueError: options that do not go together.

    >>> import devgrad
    >>> from devgrad.utils.checkpoint import checkpoint
    >>> x = devgrad.tensor([0.5, 1.0], requires_grad=True)
    >>> y = checkpoint(lambda x: x.exp().sin(), x, use_reentrant=False)
    >>> y.sum().backward()
    >>> x.grad
    tensor([-0.1283, -2.4784])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. "
            "Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an "
            "exception. use_reentrant=False is recommended, but if you need to preserve the "
            "current default behavior, you can pass use_reentrant=True. Refer to docs for more "
            "details on the differences between the two variants.",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
        use_reentrant = True
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        return _checkpoint_reentrant(_Run(function, args, {}, preserve_rng_state), args)
    if _settings["debug"] is not None:
        debug = _settings["debug"]
    if debug and context_fn is not noop_context_fn:
        raise ValueError("debug=True is incompatible with non-default context_fn")
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'], but got {determinism_check}"
        )
    first_context, second_context = context_fn()
    if not is_grad_enabled():
        return function(*args, **kwargs)
    if _settings["early_stop"] is not None:
        early_stop = _settings["early_stop"]
    run = _Run(function, args, kwargs, preserve_rng_state, second_context)
    recorder = _Recorder()
    with recorder, first_context:
        result = function(*args, **kwargs)
    _Region(run, recorder, determinism_check == "default", debug, early_stop)
    return result


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """``functions``, one after the other, in ``segments`` each of which is a `checkpoint`.

    The last segment is run as usual: the backward pass begins with it.

    Args:
        functions: a list of functions, or a module that has ``children()``.
        segments: into how many parts they are divided.
        input: what the first is given; each of the others is given what the one before returns.
        use_reentrant, preserve_rng_state: as for `checkpoint`.

    Raises:
        ValueError: there are other keyword arguments.

    >>> import devgrad
    >>> from devgrad.utils.checkpoint import checkpoint_sequential
    >>> x = devgrad.tensor([0.5, 1.0], requires_grad=True)
    >>> checkpoint_sequential(
    ...     [devgrad.exp, devgrad.sin, devgrad.sum], 2, x, use_reentrant=False
    ... ).backward()
    >>> x.grad
    tensor([-0.1283, -2.4784])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be "
            "passed explicitly. In version 2.9 we will raise an exception if use_reentrant is not "
            "passed. use_reentrant=False is recommended, but if you need to preserve the current "
            "default behavior, you can pass use_reentrant=True. Refer to docs for more details "
            "on the differences between the two variants.",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
        use_reentrant = True
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if not isinstance(functions, (list, tuple)):
        functions = list(functions.children())

    def chain(part: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for function in part:
                x = function(x)
            return x

        return forward

    size = len(functions) // segments
    last = size * (segments - 1)
    for start in range(0, last, size):
        input = checkpoint(
            chain(functions[start : start + size]), input, use_reentrant=use_reentrant,
            preserve_rng_state=preserve_rng_state,
        )  # fmt: skip
    return chain(functions[last:])(input)


# --- running twice --------------------------------------------------------------------------------


class _Argument:
    """A tensor that the second run is given: its memory, cut off from the graph."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()
        self.requires_grad = tensor.requires_grad
        self.seen = _Seen.of(tensor._array, tensor._changes)

    def again(self) -> Tensor:
        self.seen.check()
        return self.tensor.detach().requires_grad_(self.requires_grad)


@dataclass(frozen=True)
class _Seen:
    """That memory which the second run will read was in this state at the first."""

    changes: list[Any]
    expected: int
    kind: str

    @staticmethod
    def of(array: Any, changes: list[Any] | None) -> _Seen:
        known: list[Any] = [0, None] if changes is None else changes
        return _Seen(known, known[0], f"{array.dtype} {list(array.shape)}")

    def check(self) -> None:
        if self.changes[0] != self.expected:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: [{self.kind}] is at version {self.changes[0]}; expected "
                f"version {self.expected} instead. checkpoint() computes again from it in the "
                f"backward pass; it was changed at {line_of(self.changes[1])}. Change a clone() "
                "of it, or use the operation that returns a new tensor"
            )


class _Run:
    """A function with its arguments and its random numbers, to be called a second time."""

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any],
        preserve_rng_state: bool, context: Context | None = None,
    ) -> None:  # fmt: skip
        self.function = function
        self.args = [_Argument(x) if isinstance(x, Tensor) else x for x in args]
        self.kwargs = {k: _Argument(x) if isinstance(x, Tensor) else x for k, x in kwargs.items()}
        self.random = get_rng_state() if preserve_rng_state else None
        self.autocast = same_autocast()
        # Of the devices that the arguments are on, as in PyTorch.
        on_cuda = [x.device.index or 0 for x in (*args, *kwargs.values())
                   if isinstance(x, Tensor) and x.is_cuda]  # fmt: skip
        self.cuda_random = {i: cuda_generator(i).get_state() for i in on_cuda}
        self.device = get_default_device()
        self.context = context or contextlib.nullcontext()
        self.line = user_line()

    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        def again(x: Any) -> Any:
            return x.again() if isinstance(x, _Argument) else x

        return [again(x) for x in self.args], {k: again(x) for k, x in self.kwargs.items()}

    def again(self, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Call the function, recorded."""
        device = get_default_device()
        kept = fork_rng(list(self.cuda_random), self.random is not None)
        with kept, enable_grad(), self.autocast, self.context:
            if self.random is not None:
                set_rng_state(self.random)
                for index, state in self.cuda_random.items():
                    cuda_generator(index).set_state(state)
            try:
                set_default_device(self.device)
                return self.function(*args, **kwargs)
            finally:
                set_default_device(device)


class _Stop(BaseException):
    """Ends a second run that has computed what is needed."""


class _Recorder:
    """Within its block, is told of each node that is made.

    Attributes:
        nodes: weak references to those that save arrays. One may go before the block ends.
        arrays: how many they saved.
        start: nodes of a smaller rank were made within the block.
        found: the nodes themselves, if they are to be ``held``.
        enough: how many end the block, by `_Stop`; None if none do.
    """

    def __init__(self, held: bool = False, enough: int | None = None) -> None:
        self.nodes: list[Callable[[], Node | None]] = []
        self.arrays = 0
        self.start = next_rank()
        self.held, self.enough = held, enough
        self.found: list[Node] = []

    def __enter__(self) -> None:
        self._before = mode.recorder
        set_recorder(self)

    def __exit__(self, *exc: object) -> None:
        set_recorder(self._before)

    def made(self, node: Node) -> None:
        """Called with each node."""
        # Of a checkpoint within a checkpoint, or in forward mode. Of `saved_tensors_hooks` only
        # the innermost are to see what is saved, and here that is this.
        if self._before is not True and not hasattr(self._before, "pack"):
            self._before.made(node)
        if not (node.releases and node.saved):
            return
        self.nodes.append(weakref.ref(node))
        self.arrays += len(list(kept_arrays(node.saved)))
        if self.held:
            self.found.append(node)
        if len(self.nodes) == self.enough:
            raise _Stop


class _Kept:
    """Stands where a node's saved tensors were; unpacked, it gives them, computed again."""

    __slots__ = ("__weakref__", "region", "values")

    def __init__(self, region: _Region) -> None:
        self.region = region
        self.values: Any = None

    def __iter__(self) -> Iterator[Any]:
        return iter(self.region.values_of(self))


class _Record:
    """What is remembered of a node of the first run, to compare the second with."""

    def __init__(self, node: Node) -> None:
        self.what = f"{node.name()}, at {node.where()}"
        device = (node.tensor_type if node.outputs is None else node.tensor_type[0]).device
        self.arrays = [
            {"shape": Size(array.shape), "dtype": dtype_of_array(array), "device": device}
            for array, _, _ in kept_arrays(node.saved)  # a checkpoint within keeps none
        ]


class _Region:
    """The part of a graph that one call of `checkpoint` recorded.

    The nodes hold its `_Kept`, which hold it; it knows them weakly.
    """

    def __init__(
        self, run: _Run, first: _Recorder, compare: bool, debug: bool, early_stop: bool
    ) -> None:
        self.run = run
        self.compare, self.debug, self.early_stop = compare, debug, early_stop
        self.arrays = first.arrays
        self.records: list[_Record | None] = []  # None for a node that is gone, or has run already
        self.kept: list[Callable[[], _Kept | None]] = []
        self.last: Callable[[], _Kept | None] = _nothing
        self.outside: list[_Seen] = []
        for reference in first.nodes:
            node = reference()
            if node is None or node.saved.__class__ is Released:
                self.records.append(None)
                self.kept.append(_nothing)
                continue
            self.records.append(_Record(node))
            self.outside += [_Seen.of(*e[:2]) for e in self._from_outside(node, first.start)]
            kept = _Kept(self)
            self.kept.append(weakref.ref(kept))
            node.saved = kept

    @staticmethod
    def _from_outside(node: Node, start: int) -> Iterator[tuple[Any, list[Any], int]]:
        # Leaves, and what was computed before: the second run reads them as they are then.
        names = getattr(getattr(node, "op", None), "saved_names", ())
        for name, entry in zip(names, node.saved if node.saved.__class__ is tuple else ()):
            edge = node.edge_of(name)
            if edge is not None and edge.rank > start:
                yield from kept_arrays((entry,))

    def values_of(self, kept: _Kept) -> Any:
        """What a node saved. It is given up when the next node asks."""
        previous = self.last()
        if previous is not None and previous is not kept:
            previous.values = None
        if kept.values is None:
            self.compute()
        self.last = weakref.ref(kept)
        return kept.values

    def compute(self) -> None:
        """Run the function again, and hand its nodes' saved tensors to those of the first run.

        Raises:
            CheckpointError: it does not do the same.
            RuntimeError: something that it reads has been changed in place.
        """
        args, kwargs = self.run.arguments()
        for seen in self.outside:
            seen.check()
        second = _Recorder(held=True, enough=len(self.kept) if self.early_stop else None)
        with second, contextlib.suppress(_Stop):
            self.run.again(args, kwargs)
        self._check(second)
        for reference, node in zip(self.kept, second.found):
            kept = reference()
            if kept is not None:
                kept.values = node.saved

    def _check(self, second: _Recorder) -> None:
        if len(second.found) > len(self.kept):
            raise self._error(
                "trying to save more tensors during recomputation than during the original "
                "forward pass.\n",
                second,
            )
        if len(second.found) < len(self.kept) or second.arrays != self.arrays:
            raise self._error(
                "A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {self.arrays}\n"
                f"Number of tensors saved during recomputation: {second.arrays}.\n",
                second,
            )
        different, position = "", 0
        for first, node in zip(self.records, second.found) if self.compare else ():
            found = _Record(node)
            for a, b in zip(first.arrays, found.arrays) if first is not None else ():
                if a != b:
                    assert first is not None
                    different += (
                        f"tensor at position {position}:\nsaved metadata: {a}\n"
                        f"recomputed metadata: {b}\n(saved by {first.what}; recomputed by "
                        f"{found.what})\n"
                    )
                position += 1
        if different:
            raise self._error(
                "Recomputed values for the following tensors have different metadata than during "
                f"the forward pass.\n{different}.\n",
                second,
            )

    def _error(self, phrase: str, second: _Recorder) -> CheckpointError:
        text = f"torch.utils.checkpoint: {phrase}The function that was called at "
        text += f"{line_of(self.run.line)} must do the same both times: "
        text += "look for what depends on something else than its arguments.\n"
        if not self.debug:
            text += "Tip: checkpoint(..., debug=True) lists the operations of both runs."
            return CheckpointError(text)
        for title, records in (
            ("the original forward", self.records),
            ("recomputation", [_Record(node) for node in second.found]),
        ):
            listed = "\n".join(r.what for r in records if r is not None)
            text += f"\nOperations executed during {title}:\n\n{listed}\n"
        return CheckpointError(text)


def _nothing() -> None:
    """Stands for a weak reference whose object is gone."""


# --- the reentrant way ----------------------------------------------------------------------------


class CheckpointFunctionBackward(Node):
    """One node in place of the whole function: its derivative is a backward pass of its own."""

    __slots__ = ("run",)

    def __init__(self, run: _Run, edges: tuple[Edge | None, ...], results: list[Tensor]) -> None:
        self.run = run
        self.edges = edges
        self.saved = (run,)
        self.rank = next_rank()
        self.outputs = len(results)
        self.shape = tuple(r._array.shape for r in results)
        self.tensor_type = tuple(r._type for r in results)
        self.code, self.lasti = user_line()

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        kinds = self.tensor_type
        given = [None if x is None else wrap(x, kind) for x, kind in zip(g, kinds)]
        return [None if x is None else x._array for x in self.vjp_on_tensors(given, edges)]

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        if self.saved.__class__ is Released:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved "
                "tensors after they have already been freed). Saved intermediate values of the "
                "graph are freed when you call .backward() or autograd.grad(). Specify "
                "retain_graph=True if you need to backward through the graph a second time or if "
                "you need to access saved tensors after calling backward. This is checkpoint(), "
                f"called at {self.where()}"
            )
        if edges is not self.edges:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(). To resolve this error, you can "
                "either set use_reentrant=False, or call .backward() without passing the "
                "`inputs` argument."
            )
        args, _ = self.run.arguments()
        results = _results(self.run.again(args, {}))
        if not any(y.requires_grad for y in results):
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        pairs = [(y, d) for y, d in zip(results, g) if y.requires_grad and d is not None]
        backward([y for y, _ in pairs], [d for _, d in pairs])
        return [x.grad if isinstance(x, Tensor) else None for x in args]


def _results(value: Any) -> list[Tensor]:
    """The tensors that a function returned which can require grad."""
    values = value if isinstance(value, (tuple, list)) else (value,)
    return [x for x in values if isinstance(x, Tensor) and x._type.floating]


def _checkpoint_reentrant(run: _Run, args: tuple[Any, ...]) -> Any:
    edges = tuple(x._own_edge() if isinstance(x, Tensor) else None for x in args)
    recorded = is_grad_enabled() and any(edge is not None for edge in edges)
    if not any(edge is not None for edge in edges):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None",
            UserWarning,
            stacklevel=user_stacklevel(),
        )
    with no_grad():
        result = run.function(*args)
    if not recorded:
        return result
    node = CheckpointFunctionBackward(run, edges, _results(result))
    numbers = iter(range(len(node.shape)))

    def behind(x: Any) -> Any:
        if not isinstance(x, Tensor) or not x._type.floating:
            return x
        output = x.detach()
        output._edge = OutputEdge(node, next(numbers))
        return output

    return tuple(map(behind, result)) if isinstance(result, (tuple, list)) else behind(result)
