"""The Tensor: an array, where its gradient goes, and how often its memory was changed.

This is the data model alone. The operations are in ``ops/``, which attaches them as methods.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .autograd._cuts import Cut, cut_off
from .autograd._graph import AccumulateGrad, Edge, Node
from .autograd._modes import mode
from .device import Device, DType, TensorType

__all__ = ["Size", "Tensor", "View", "constant", "wrap"]


class Size(tuple[int, ...]):
    """A tensor's shape: a tuple that prints as PyTorch's and knows its product.

    >>> import devgrad
    >>> devgrad.zeros(2, 3).shape
    torch.Size([2, 3])
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def numel(self) -> int:
        """How many elements a tensor of this shape has."""
        count = 1
        for n in self:
            count *= n
        return count

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(super().__add__(tuple(other)))

    def __mul__(self, times: Any) -> Any:
        return Size(super().__mul__(times))


class View:
    """That a tensor is a view: of which base, and by which steps.

    Attributes:
        base: the tensor whose storage it is; never itself a view.
        steps: ``(forward, args, index)`` of each view operation between base and view, so that
            the same view can be taken of any array of the base's shape.
        version: the version of the storage at which the view's edge was right. A change in place
            of the base, or of another view of it, makes it wrong; it is then made again.
        origin: ``None``, or why the view must not be changed in place while grad is enabled:
            ``"no_grad"``, ``"several"`` (its operation returned several views), ``"inference"``,
            ``"function"`` (an `autograd.Function` returned it).
    """

    __slots__ = ("base", "origin", "steps", "version")

    def __init__(self, of: Tensor, step: tuple[Any, Any, int | None]) -> None:
        outer = of._view
        if outer is None:
            self.base = of
            self.steps: tuple[Any, ...] = (step,)
            self.origin = None
        else:
            self.base = outer.base
            self.steps = (*outer.steps, step)
            self.origin = outer.origin
        if step[2] is not None:
            self.origin = "several"
        elif not mode.grad and self.origin is None:
            self.origin = "no_grad"
        self.version = of._changes[0] if of._changes is not None else 0


class Tensor:
    """A multi-dimensional array that can remember how it was computed.

    A *leaf* was made by the user; what operations compute from leaves that require grad requires
    grad too, and has a ``grad_fn``, the node that remembers the operation. ``backward()`` on a
    root fills in the leaves' ``.grad``.

    Attributes:
        _array: the NumPy or CuPy array. Views share its memory.
        _type: device and dtype.
        _edge: where the gradient goes: the node of the operation that computed this tensor, the
            leaf's own `AccumulateGrad`, or None if it does not require grad.
        _changes: ``[n, line]``, shared by all tensors over the same memory: n changes in place
            so far, and the line of the last one. None for a tensor made in inference mode.
        _view: None unless this is a view.
        _cut: where the gradient's way was lost, if this was computed from what requires grad, but
            does not itself.
    """

    __slots__ = ("_array", "_type", "_edge", "_changes", "_view", "_cut",
                 "__dict__", "__weakref__")  # fmt: skip

    _array: Any
    _type: TensorType
    _edge: Edge | None
    _changes: list[Any] | None
    _view: View | None
    _cut: Cut | None
    _grad: Tensor | None = None
    _leaf: AccumulateGrad | None = None  # kept while requires_grad is off, for its hooks
    _retains: Any = None  # the handle of the hook by which `retain_grad` works

    # Installed by the layers above, which import this one.
    _construct: Callable[..., Tensor]
    _current_edge: Callable[[], Edge | None]
    _backward: Callable[..., None]

    __array_priority__ = 1000  # NumPy's operators leave mixed arithmetic to us

    if TYPE_CHECKING:  # the methods that ops/ attaches

        def __getattr__(self, name: str) -> Any: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __eq__(self, other: object) -> Any: ...

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """``Tensor([2.0])``: a tensor of these data; ``Tensor(2, 3)``: an unfilled one."""
        return Tensor._construct(cls, *args, **kwargs)

    # --- facts ----------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return self._type.dtype

    @property
    def device(self) -> Device:
        """Where the elements are."""
        return self._type.device

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return int(self._array.ndim)

    @property
    def itemsize(self) -> int:
        """The bytes of an element."""
        return self._type.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return int(self._array.nbytes)

    @property
    def is_cuda(self) -> bool:
        """Whether it is on a CUDA device."""
        return self._type.device.type == "cuda"

    @property
    def is_cpu(self) -> bool:
        """Whether it is on the CPU."""
        return self._type.device.type == "cpu"

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one dimension.

        Raises:
            IndexError: there is no such dimension. TypeError: ``dim`` is no int.
        """
        return self.shape if dim is None else self._array.shape[self._dim(dim, "size")]

    def dim(self) -> int:
        """The number of dimensions."""
        return int(self._array.ndim)

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    nelement = numel

    def element_size(self) -> int:
        """The bytes of an element."""
        return self._type.dtype.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """How many elements apart neighbours are in memory, for every dimension or for one."""
        item = self._array.itemsize
        strides = tuple(s // item for s in self._array.strides)
        if dim is None:
            return strides
        place = self._dim(dim, "stride")
        if not strides:
            raise IndexError(
                f"Dimension specified as {dim} but tensor has no dimensions: it has no strides"
            )
        return strides[place]

    def storage_offset(self) -> int:
        """Where in its storage the tensor begins, in elements."""
        return int(self._type.xp.storage(self._array)[0])

    def data_ptr(self) -> int:
        """The address of the first element."""
        array = self._array
        if self.is_cuda:
            return int(array.data.ptr)
        return int(array.__array_interface__["data"][0])

    def is_floating_point(self) -> bool:
        """Whether the dtype is float16, float32 or float64."""
        return self._type.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether the dtype is complex."""
        return self._type.dtype.is_complex

    def is_signed(self) -> bool:
        """Whether the dtype has negative values."""
        return self._type.dtype.is_signed

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        return self._changes is None

    def get_device(self) -> int:
        """The number of its CUDA device; -1 on the CPU."""
        return -1 if self.is_cpu else int(self.device.index or 0)

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __hash__(self) -> int:
        return id(self)

    def _dim(self, dim: Any, function: str = "size") -> int:
        """``dim`` counted from the front."""
        if dim.__class__ is not int:
            if isinstance(dim, bool) or not hasattr(dim, "__index__"):
                raise TypeError(
                    f"{function}(): argument 'dim' (position 1) must be int, not "
                    f"{type(dim).__name__}"
                )
            dim = int(dim)
        n = self._array.ndim
        if not -max(n, 1) <= dim < max(n, 1):
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-max(n, 1)}, "
                f"{max(n, 1) - 1}], but got {dim})"
            )
        return dim % max(n, 1)

    # --- the graph ------------------------------------------------------------------------------

    def _own_edge(self) -> Edge | None:
        """The edge, made again if a change in place of the storage has outdated it."""
        return self._edge if self._view is None else self._current_edge()

    @property
    def requires_grad(self) -> bool:
        """Whether operations on this tensor are recorded. May be set on leaves."""
        return self._own_edge() is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value.__class__ is not bool:
            raise RuntimeError(f"requires_grad must be a bool, not {type(value).__name__}")
        edge = self._own_edge()
        if edge is not None and edge.__class__ is not AccumulateGrad:
            if value:
                return
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a "
                "computed variable in a subgraph that doesn't require differentiation use "
                f"var_no_grad = var.detach(). This one was computed by {edge.node.name()} at "
                f"{edge.node.where()}"
            )
        if not value:
            self._edge = None
            return
        if not self._type.floating:
            raise RuntimeError(
                "only Tensors of floating point dtype can require gradients: this one has dtype "
                f"{self.dtype}. Convert it first, x = x.float()"
            )
        if self._changes is None and not mode.inference:
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed. Use x.clone() for a tensor that can require grad"
            )
        if edge is None:
            if self._leaf is None:
                self._leaf = AccumulateGrad(self)
            self._leaf.follow(self)
            self._edge = self._leaf

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set `requires_grad`, and return the tensor."""
        if requires_grad.__class__ is not bool:
            raise TypeError(
                "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not "
                f"{type(requires_grad).__name__}"
            )
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the user made it: it does not require grad, or was not computed."""
        edge = self._own_edge()
        return edge is None or edge.__class__ is AccumulateGrad

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that computed this tensor; None for a leaf."""
        edge = self._own_edge()
        return None if edge is None or edge.__class__ is AccumulateGrad else edge.node

    @property
    def output_nr(self) -> int:
        """Which output of ``grad_fn`` it is."""
        return 0 if self._edge is None else int(self._edge.index)

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward()`` has accumulated, None before the first time.

        Only leaves have one, and tensors on which `retain_grad` was called.
        """
        if self._grad is None and self._retains is None and not self.is_leaf:
            warnings.warn(_NON_LEAF_GRAD, UserWarning, stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is None:
            self._grad = None
            return
        if not isinstance(value, Tensor):
            raise TypeError(
                "assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value._array.shape != self._array.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of "
                f"size '{list(self.shape)}'. Please ensure that the gradient and the tensor are "
                "the same size"
            )
        if value._type is not self._type:
            what = "dtype" if value.device is self.device else "device"
            mine, theirs = getattr(self, what), getattr(value, what)
            raise RuntimeError(
                f"attempting to assign a gradient with {what} '{theirs}' to a tensor with {what} "
                f"'{mine}'. Please ensure that the gradient and the tensor have the same {what}"
            )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def _accumulate(self, g: Any, owned: bool) -> None:
        """Add the array ``g`` to the gradient; keep it as it is if it is ours (``owned``)."""
        grad = self._grad
        if grad is not None and grad._edge is None and g.__class__ is grad._array.__class__:
            array = grad._array
            if array.size < 4096:
                # NumPy adds into an array more slowly than it makes a small one and copies it.
                array[...] = array + g
            else:
                array += g
            if grad._changes is not None:
                grad._changes[0] += 1
        elif isinstance(g, Tensor):
            self._grad = g if grad is None else grad + g
        elif grad is None:
            kind = self._type
            if g.__class__ is not kind.array_type:
                g = kind.asarray(g)
            elif not owned:
                g = g.copy()
            self._grad = wrap(g, kind)
        else:
            self._grad = wrap(self._type.asarray(grad._array + g), self._type)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this non-leaf."""
        return self._retains is not None

    @property
    def _version(self) -> int:
        """How often the memory was changed in place, through this tensor or another.

        Raises:
            RuntimeError: it was made in inference mode, where changes are not counted.
        """
        if self._changes is None:
            raise RuntimeError(
                "Inference tensors do not track version counter. Use x.clone() for a tensor that "
                "does"
            )
        return int(self._changes[0])

    @property
    def _base(self) -> Tensor | None:
        return None if self._view is None else self._view.base

    def _is_view(self) -> bool:
        return self._view is not None

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the derivative of this tensor to the ``.grad`` of the leaves that it depends on.

        Args:
            gradient: what the derivative is multiplied with, of this tensor's shape. May be left
                out for a tensor of one element.
            retain_graph: keep the saved tensors for another pass. Default: as ``create_graph``.
            create_graph: record the computation of the gradient, for derivatives of it.
            inputs: the tensors to give gradients to; default all leaves.

        Raises:
            RuntimeError: it does not require grad; it has several elements and no ``gradient``;
                the graph was given back by an earlier pass; a saved tensor was changed in place.

        >>> import devgrad
        >>> x = devgrad.tensor([2.0, 3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([4., 6.])
        """
        Tensor._backward(self, gradient, retain_graph, create_graph, None, inputs)

    def detach(self) -> Tensor:
        """The same memory, cut off from the graph: changes show in both."""
        detached = wrap(self._array, self._type, self._changes)
        detached._cut = self._cut if self._own_edge() is None else cut_off("detach", "detach")
        return detached

    def detach_(self) -> Tensor:
        """Cut this tensor itself off from the graph."""
        if self._view is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using "
                "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set "
                "as True, gradients are views of DDP buckets, and hence detach_() cannot be "
                "called on these gradients. To fix this error, please refer to the "
                "Optimizer.zero_grad() function in torch/optim/optimizer.py as a solution."
            )
        self._cut = self._cut if self._edge is None else cut_off("detach", "detach_")
        self._edge = None
        return self

    @property
    def data(self) -> Tensor:
        """The same memory, cut off from the graph *and* from its checks: changes go unseen."""
        return wrap(self._array, self._type)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        self._array, self._type = value._array, value._type
        if self._leaf is not None:
            self._leaf.follow(self)

    def __bool__(self) -> bool:
        if self._array.size != 1:
            if self._array.size == 0:
                raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
            raise RuntimeError(
                "Boolean value of Tensor with more than one value is ambiguous: this one has "
                f"shape {list(self.shape)}. Use x.any() or x.all()"
            )
        return bool(self._array.item())


_NON_LEAF_GRAD = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad "
    "attribute won't be populated during autograd.backward(). If you indeed want the .grad field "
    "to be populated for a non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you "
    "access the non-leaf Tensor by mistake, make sure you access the leaf Tensor instead. See "
    "github.com/pytorch/pytorch/pull/30531 for more information."
)


_new = object.__new__


def wrap(array: Any, kind: TensorType, version: list[Any] | None = None) -> Tensor:
    """A tensor over ``array`` that requires no grad. ``version`` is shared by who shares memory."""
    tensor = _new(Tensor)
    tensor._array = array
    tensor._type = kind
    tensor._edge = None
    tensor._changes = ([0, None] if not mode.inference else None) if version is None else version
    tensor._view = tensor._cut = None
    return tensor


def constant(value: Any, kind: TensorType) -> Tensor:
    """A Python number as a 0-dim tensor, which is kept: converting numbers is slow."""
    key = (value, value.__class__) if value else (str(value), value.__class__)  # -0.0 is not 0.0
    found = kind.constants.get(key)
    if found is None:
        if len(kind.constants) > 1000:
            kind.constants.clear()
        array = kind.xp.asarray(value).astype(kind.array_dtype)
        found = kind.constants[key] = wrap(array, kind, [0, None])
    return found
