"""Changing tensors in place: ``x.mul_(y)``, ``out=``, and what a change does to views.

An in-place operation is its ordinary form followed by a copy into the tensor's memory. What is
special is the bookkeeping, which follows PyTorch:

* all tensors over one memory share a version, and a change raises it: whoever saved the old values
  for a derivative finds out;
* after a change the tensor's history is that of the operation;
* where the tensor is a view, its *base* has changed as well: the base's history becomes a
  ``CopySlices`` node, and every view's is made again from the base's when it is next asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .._tensor import Tensor, View, wrap
from ..autograd._graph import AccumulateGrad, Edge, Node, Released, next_rank
from ..autograd._hooks import retain
from ..autograd._modes import mode
from ..autograd._provenance import line_of, user_line
from ._errors import describe, freed
from ._layout import layout_of, new_like, overlaps, positions, strides_of

__all__ = ["NUMPY_NAMES", "bump", "change_recorded", "check_inplace", "from_numpy_names",
           "inplace_form", "rebase", "replace", "write_out",
           "write_result"]  # fmt: skip


def check_inplace(name: str, tensor: Tensor, recorded: bool, uniform: bool = False) -> None:
    """Refuse a change in place that autograd could not follow, before it is made.

    Args:
        name: the operation, for the message.
        tensor: what is to be changed.
        recorded: whether the operation will be recorded: grad mode, and an input requires grad.
        uniform: all elements become the same, so that it does no harm if some share their memory.

    Raises:
        RuntimeError: see the text of each.
    """
    if tensor._changes is None and not mode.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed."
            "You can make a clone to get a normal tensor before doing inplace update."
            "See https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    view = tensor._view
    if view is not None and view.origin is not None and mode.grad and view.base._edge is not None:
        recorded = True  # the view itself may not require grad, but what it changes does
    if recorded:
        _refuse_leaf_and_view(name, tensor, view)
    array = tensor._array
    if (
        not uniform
        and 0 in array.strides
        and array.size
        and any(n > 1 and s == 0 for n, s in zip(array.shape, array.strides, strict=True))
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation. "
            f"{name}() was to change {describe(tensor)}, an expanded view"
        )


def _refuse_leaf_and_view(name: str, tensor: Tensor, view: View | None) -> None:
    def here() -> str:
        return f" ({name}() at {line_of(user_line())}, on {describe(tensor)}.)"

    if view is not None:
        if view.origin is not None:
            _refuse_view(tensor, view, here())
        if tensor.requires_grad and view.base.is_leaf:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                f"operation.{here()} {_LEAF_REMEDY}"
            )
    if tensor._own_edge().__class__ is AccumulateGrad:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation."
            f"{here()} {_LEAF_REMEDY}"
        )


_LEAF_REMEDY = (
    "Its gradient could not be told from that of its former values. To update a parameter, do so "
    "within `with torch.no_grad():`; to compute with it, use the operation that returns a new "
    "tensor."
)


def _refuse_view(tensor: Tensor, view: View, here: str) -> None:
    if view.origin == "several":
        node = tensor.grad_fn
        title = "" if node is None else node.name().removesuffix("Backward0")
        what = (
            f"Output {tensor.output_nr} of {title} is a view and is being modified inplace."
            if node is not None
            else "A view is being modified inplace."
        )
        raise RuntimeError(
            f"{what} This view is the output of a function that returns multiple views. Such "
            "functions do not allow the output views to be modified inplace. You should replace "
            f"the inplace operation by an out-of-place one.{here}"
        )
    if view.origin == "function":
        title = "" if tensor.grad_fn is None else tensor.grad_fn.name().removesuffix("Backward")
        raise RuntimeError(
            f"Output {tensor.output_nr} of {title} is a view and is being modified inplace. This "
            "view was created inside a custom Function (or because an input was returned as-is) "
            "and the autograd logic to handle view+inplace would override the custom backward "
            "associated with the custom Function, leading to incorrect gradients. This behavior "
            "is forbidden. You can fix this by cloning the output of the custom Function."
            f"{here}"
        )
    raise RuntimeError(
        f"A view was created in {view.origin} mode and is being modified inplace with grad mode "
        "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You "
        "can clarify your code by moving both the view and the inplace either both inside the "
        f"{view.origin} block (if you don't want the inplace to be tracked) or both outside (if "
        f"you want the inplace to be tracked).{here}"
    )


def bump(tensor: Tensor) -> None:
    """Count a change in place of the tensor's memory, and remember the line."""
    version = tensor._changes
    if version is not None:
        version[0] += 1
        version[1] = user_line()


def replace(name: str, tensor: Tensor, result: Tensor) -> Tensor:
    """Make ``result`` the new contents of ``tensor``, with its history.

    The caller has checked that the change is allowed.

    Raises:
        RuntimeError: the result does not fit in.
    """
    array = tensor._array
    if result._array.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(array.shape)} doesn't match the broadcast shape "
            f"{list(result._array.shape)}. {name}() cannot change the shape of the tensor that it "
            "works on"
        )
    if result._type is not tensor._type:
        _check_castable(result, tensor)
    node = result._edge
    if node is None and mode.grad:
        node = _forgotten(name, tensor)
    if node is None:
        array[...] = result._array
        bump(tensor)
        if tensor._edge is None and result._cut is not None:
            tensor._cut = result._cut
        return tensor
    if isinstance(node, Node):
        _keep_original(node, tensor)
    array[...] = result._array
    bump(tensor)
    if isinstance(node, Node):
        _point_to_output(node, tensor, result)
    if tensor._view is None and result._edge is not None and result._type is not tensor._type:
        node = _cast_edge(node, tensor)
    rebase(tensor, node)
    return tensor


def rebase(tensor: Tensor, edge: Edge) -> None:
    """Give ``tensor``, changed in place, its new history; and its base, if it is a view."""
    if tensor._view is None:
        tensor._edge = edge
        if tensor._retains is not None:
            retain(tensor)
    else:
        _change_base(tensor._view, edge, tensor)


def _forgotten(name: str, tensor: Tensor) -> Node | None:
    """The history of a tensor that required grad, after a change to what has no derivative."""
    edge = tensor._own_edge()
    if edge is None:
        return None
    xp = tensor._type.xp
    title = "".join(part.capitalize() for part in name.strip("_").split("_"))

    def zeros_of_tensor(g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        return (wrap(xp.zeros(g._array.shape, g._array.dtype), g._type),)

    return _ViewNode(
        f"{title}Backward0", (edge,), tensor._array.shape, tensor._type,
        lambda g, edges: (xp.zeros(g.shape, g.dtype),), zeros_of_tensor,
    )  # fmt: skip


def _check_castable(result: Tensor, target: Tensor) -> None:
    source, wanted = result._type.dtype, target._type.dtype
    if source.category > wanted.category:
        raise RuntimeError(
            f"result type {source.title} can't be cast to the desired output type {wanted.title}"
        )


def _keep_original(node: Node, tensor: Tensor) -> None:
    """Have the node save a copy of what ``tensor`` holds now, if it saved that as its first
    operand. As another operand, ``x.mul_(x)``, its loss is found out by the derivative."""
    op = getattr(node, "op", None)
    if op is None or not op.tensors or op.tensors[0].name not in op.saved_names:
        return
    if node.saved.__class__ is not tuple:  # hooks keep something of their own
        return
    index = op.saved_names.index(op.tensors[0].name)
    entry, array = node.saved[index], tensor._array
    if entry.__class__ is tuple and entry[0] is array:
        original = (array.copy(), [0, None], 0)
        node.saved = (*node.saved[:index], original, *node.saved[index + 1 :])


def _point_to_output(node: Node, tensor: Tensor, result: Tensor) -> None:
    """Have the node save ``tensor`` for its output: the output's own array is given up."""
    version = tensor._changes
    if version is not None and result._type is tensor._type and node.saved.__class__ is tuple:
        entry = (tensor._array, version, version[0])
        node.saved = tuple(
            entry if e.__class__ is tuple and len(e) == 3 and e[0] is result._array else e
            for e in node.saved
        )


def _cast_edge(node: Edge, tensor: Tensor) -> Edge:
    # The result was promoted beyond the tensor's dtype; the engine casts what passes an edge.
    return _ViewNode(
        "ToCopyBackward0", (node,), tensor._array.shape, tensor._type, _pass_on, _pass_on
    )


def _pass_on(g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
    return (g,)


_TITLED: dict[str, type[_ViewNode]] = {}


class _ViewNode(Node):
    """A node whose rules are closures: what a change in place leaves behind."""

    __slots__ = ("rule", "rule_on_tensors", "title")

    def __new__(cls, title: str, *args: Any) -> _ViewNode:
        # Of a class by that name, as the nodes of operations are.
        found = _TITLED.get(title)
        if found is None:
            found = _TITLED[title] = type(title.rpartition(":")[2], (_ViewNode,), {"__slots__": ()})
        return object.__new__(found)

    def __init__(
        self, title: str, edges: tuple[Edge | None, ...], shape: Any, kind: Any,
        rule: Callable[..., Any], rule_on_tensors: Callable[..., Any],
    ) -> None:  # fmt: skip
        self.title = title
        self.edges = edges
        self.saved = ()
        self.rank = next_rank()
        self.shape = shape
        self.tensor_type = kind
        self.code, self.lasti = user_line()
        self.rule = rule
        self.rule_on_tensors = rule_on_tensors

    def name(self) -> str:
        return self.title

    def vjp(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        if self.saved.__class__ is Released:
            raise freed(self)
        return self.rule(g, edges)

    def vjp_on_tensors(self, g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        if self.saved.__class__ is Released:
            raise freed(self)
        return self.rule_on_tensors(g, edges)


class _Footprint:
    """Where a view lies in its base, so that the same part of any array like the base is found.

    It does not hold the base, whose history holds it. The base's layout in memory belongs to it:
    of an array laid out otherwise, the view's operations might give copies.
    """

    __slots__ = ("kind", "shape", "steps", "strides")

    def __init__(self, view: View) -> None:
        base = view.base
        self.steps = view.steps
        self.kind = base._type
        self.shape, self.strides = layout_of(base._array)

    def of(self, array: Any) -> Any:
        """The view of an array with the base's layout."""
        for forward, args, index in self.steps:
            array = forward(self.kind.xp, array, *args)
            if index is not None:
                array = array[index]
        return array

    def copy(self, array: Any) -> Any:
        """A copy of ``array`` with the base's layout."""
        made = new_like(self.kind.xp, self.shape, self.strides, array.dtype)
        made[...] = array
        return made

    def read(self, array: Any) -> Any:
        """The view's part of any array of the base's shape; not to be written to."""
        return self.of(array if strides_of(array) == self.strides else self.copy(array))

    def blanked(self, array: Any) -> Any:
        """A copy of ``array`` with zeros where the view is."""
        made = self.copy(array)
        self.of(made)[...] = 0
        return made

    def embedded(self, part: Any) -> Any:
        """Zeros with ``part`` where the view is; where it shows an element twice, the sum."""
        xp = self.kind.xp
        whole = new_like(xp, self.shape, self.strides, self.kind.array_dtype)
        view = self.of(whole)
        shape, strides = layout_of(view)
        if overlaps(shape, strides):
            offset, size = xp.storage(view)
            memory = xp.strided(view, (size,), (1,), 0)
            xp.scatter_add(memory, positions(xp, shape, strides, offset), part)
        else:
            view[...] = part
        return whole


def _change_base(view: View, node: Edge, tensor: Tensor) -> None:
    """The base's history after a change of a view of it: all but the view's part is as before."""
    base = view.base
    footprint = _Footprint(view)

    def rule(g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        if edges[0] is None:
            return None, footprint.read(g)
        return footprint.blanked(g), footprint.read(g).copy()

    def rule_on_tensors(g: Any, edges: Sequence[Edge | None]) -> Sequence[Any]:
        part = _part(footprint, g)
        if edges[0] is None:
            return None, part
        return _blanked(footprint, g), part

    base._edge = _ViewNode(
        "torch::autograd::CopySlices", (base._edge, node), base._array.shape, base._type, rule,
        rule_on_tensors,
    )  # fmt: skip
    base._edge.saved = (footprint,)  # as in PyTorch, it can be passed through once
    if base._retains is not None:
        retain(base)
    view.version = -1  # to be made again from the base's
    if tensor._retains is not None:
        tensor._retains.remove()  # until then


def _part(footprint: _Footprint, tensor: Tensor) -> Tensor:
    """The view's part of another tensor, recorded if that requires grad."""
    return _linear(
        tensor, footprint.read(tensor._array), lambda g: _embedded(footprint, g),
        footprint.embedded,
    )  # fmt: skip


def _blanked(footprint: _Footprint, tensor: Tensor) -> Tensor:
    """`_Footprint.blanked` on tensors, recorded. (A difference would make NaN of infinity.)"""
    return _linear(
        tensor, footprint.blanked(tensor._array), lambda g: _blanked(footprint, g),
        footprint.blanked,
    )  # fmt: skip


def _embedded(footprint: _Footprint, part: Tensor) -> Tensor:
    """Zeros with ``part`` where the view is, recorded if that requires grad."""
    return _linear(
        part, footprint.embedded(part._array), lambda g: _part(footprint, g), footprint.read
    )


def _linear(
    source: Tensor, array: Any, transpose: Callable[[Any], Any], on_arrays: Callable[..., Any]
) -> Tensor:
    """``array`` as a linear function of ``source``, whose transpose is given in both forms."""
    kind = source._type.device.types[array.dtype]
    result = wrap(source._type.asarray(array), kind)
    edge = source._own_edge()
    if mode.grad and edge is not None:
        result._edge = _ViewNode(
            "AsStridedBackward0", (edge,), array.shape, kind,
            lambda g, edges: (on_arrays(g),), lambda g, edges: (transpose(g),),
        )  # fmt: skip
    return result


def _current_edge(tensor: Tensor) -> Edge | None:
    """The edge of a view, made again from its base's if the storage has changed since."""
    view = tensor._view
    assert view is not None
    version = tensor._changes
    if version is not None and view.version != version[0]:
        view.version = version[0]
        base = view.base
        edge = base._edge
        if edge is None or edge.__class__ is AccumulateGrad and view.origin is not None:
            return tensor._edge
        footprint = _Footprint(view)
        if layout_of(footprint.of(base._array)) != layout_of(tensor._array):
            raise RuntimeError(
                "a view cannot be followed: its base was given another shape in place (by t_(), "
                "squeeze_() or the like) after the view was taken, and then its elements were "
                f"changed in place. The view is {describe(tensor)}, its base {describe(base)}. "
                "Use the operation that returns a new tensor"
            )
        tensor._edge = _ViewNode(
            "AsStridedBackward0", (edge,), tensor._array.shape, tensor._type,
            lambda g, edges: (footprint.embedded(g),), lambda g, edges: (_embedded(footprint, g),),
        )  # fmt: skip
        if tensor._retains is not None:
            retain(tensor)
    return tensor._edge


Tensor._current_edge = _current_edge  # type: ignore[assignment]


def change_recorded(
    function: Callable[..., Any], name: str, input: Any, /, *args: Any, **kwargs: Any
) -> Any:
    """``input`` changed in place to ``function(input, ...)``, and recorded if that is called for.

    Raises:
        TypeError: ``input`` is no tensor.
        RuntimeError: as `check_inplace` and `replace`.
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{name}_(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    title = f"{name}_"
    recorded = mode.grad and any_requires_grad((input, *args, *kwargs.values()))
    if recorded or input._changes is None or input._view is not None or 0 in input._array.strides:
        check_inplace(title, input, recorded)
    result = function(input, *args, **kwargs)
    return result if result is NotImplemented else replace(title, input, result)


def inplace_form(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """``pow_`` for ``pow``, a composite: the same, into the first operand's memory."""

    def changed(input: Tensor, *args: Any, **kwargs: Any) -> Any:
        return change_recorded(function, name, input, *args, **kwargs)

    changed.__name__ = changed.__qualname__ = f"{name}_"
    changed.__doc__ = f"The in-place form of `{name}`: changes ``input``, and returns it."
    return changed


def any_requires_grad(values: Sequence[Any]) -> bool:
    """Whether one of the arguments is, or holds, a tensor that requires grad."""
    for value in values:
        if isinstance(value, Tensor):
            if value._edge is not None or (value._view is not None and value.requires_grad):
                return True
        elif value.__class__ in (tuple, list) and any_requires_grad(value):
            return True
    return False


def write_out(op: Any, out: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Compute, and write the result into ``out``.

    Raises:
        RuntimeError: an argument, or ``out``, requires grad; dtypes or devices do not fit.
    """
    return write_into(op.name, op.function, out, args, kwargs)


def write_into(
    name: str, function: Callable[..., Any], out: Any, args: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    targets = out if isinstance(out, (tuple, list)) else (out,)
    for target in targets:
        if not isinstance(target, Tensor):
            raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(target).__name__}")
    if mode.grad and any_requires_grad((*args, *kwargs.values(), *targets)):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad. Leave out= away, or compute within "
            "`with torch.no_grad():`"
        )
    results = function(*args, **kwargs)
    for target, result in zip(
        targets, results if isinstance(results, tuple) else (results,), strict=True
    ):
        write_result(target, result)
    return out


def write_result(target: Tensor, result: Tensor) -> Tensor:
    """Write ``result`` into ``out=target``, which takes its shape."""
    if target._type.device is not result._type.device:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, "
            f"{result.device} and {target.device}! out= is on the wrong one"
        )
    _check_castable(result, target)
    if target._array.shape != result._array.shape:
        # The memory is then new, as in PyTorch where the old is too small.
        target._array = target._type.xp.empty(result._array.shape, target._type.array_dtype)
    target._array[...] = result._array
    bump(target)
    return target


# NumPy's names for parameters are understood wherever ours are, as in PyTorch.
NUMPY_NAMES = {"axis": "dim", "axes": "dims", "keepdims": "keepdim"}


def from_numpy_names(name: str, given: dict[str, Any], /, **arguments: Any) -> dict[str, Any]:
    """``arguments`` with those that were ``given`` by NumPy's names put in.

    Raises:
        TypeError: there is no such parameter.
    """
    for key, value in given.items():
        if NUMPY_NAMES.get(key) not in arguments:
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        arguments[NUMPY_NAMES[key]] = value
    return arguments
