"""Parameters and buffers: the tensors that belong to a module."""

from __future__ import annotations

from typing import Any

from .._creation import empty
from .._tensor import Size, Tensor
from ..device import resolve

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Parameter(Tensor):
    """A tensor that a module learns: assigned to a module's attribute, it is registered there.

    Args:
        data: the tensor whose memory the parameter shares; default an empty one.
        requires_grad: whether operations on it are recorded.

    Raises:
        AttributeError: ``data`` is no tensor.
        RuntimeError: ``requires_grad`` for a tensor of integers or booleans.

    >>> import devgrad
    >>> devgrad.nn.Parameter(devgrad.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()
    _prints_as_parameter = True

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        """A parameter over the memory of ``data``."""
        if data is None:
            data = empty(0)
        elif not isinstance(data, Tensor):
            raise AttributeError(
                f"'{type(data).__name__}' object has no attribute 'detach'. A parameter is made "
                "of a tensor: nn.Parameter(torch.tensor(data))"
            )
        if requires_grad and not data._type.floating:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients: this one "
                f"has dtype {data.dtype}. Convert it, or pass requires_grad=False"
            )
        made: Parameter = object.__new__(cls)
        made._array, made._type = data._array, data._type
        made._changes, made._view, made._edge, made._cut = data._changes, None, None, None
        if requires_grad:
            made.requires_grad = True
        return made


class _BufferType(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.__dict__.get("_is_buffer", False)


class Buffer(metaclass=_BufferType):
    """A tensor that belongs to a module's state but is not learnt, such as a running mean.

    ``module.mean = Buffer(x)`` does what ``module.register_buffer("mean", x)`` does. What is made
    is a plain tensor that shares the memory of ``data`` and carries a mark.

    Args:
        data: a tensor; default an empty one.
        persistent: whether it is part of the module's ``state_dict()``.

    >>> import devgrad
    >>> devgrad.nn.Buffer(devgrad.ones(2))
    tensor([1., 1.])
    """

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        """A marked tensor over the memory of ``data``."""
        source = empty(0) if data is None else data
        made = source.detach().requires_grad_(source.requires_grad)
        made.__dict__.update(persistent=persistent, _is_buffer=True)
        return made


class _Uninitialized(Tensor):
    """What uninitialised parameters and buffers have in common: a dtype and a device only."""

    __slots__ = ()
    cls_to_become: type[Tensor]

    def as_empty(self) -> Tensor:
        """A tensor without elements, of this dtype and on this device."""
        return empty(0, dtype=self._type.dtype, device=self._type.device)

    @property
    def _array(self) -> Any:
        raise ValueError(
            "Attempted to use an uninitialized parameter. This error happens when you are using a "
            "`LazyModule` or explicitly manipulating "
            f"`torch.nn.parameter.{type(self).__name__}` objects. When using LazyModules Call "
            "`forward` with a dummy batch to initialize the parameters before calling torch "
            "functions"
        )

    @property
    def shape(self) -> Size:
        """There is none yet."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    @property
    def requires_grad(self) -> bool:
        """Whether it will require grad when it has a shape."""
        return bool(self.__dict__["_wants_grad"])

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.__dict__["_wants_grad"] = value

    def materialize(self, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Become a parameter (or buffer) of this shape, with elements that mean nothing.

        Args:
            shape: of it.
            device, dtype: default those that it was made with.
        """
        kind = self._type
        made = empty(
            shape, device=kind.device if device is None else resolve(device),
            dtype=kind.dtype if dtype is None else dtype,
        )  # fmt: skip
        wanted = self.__dict__.pop("_wants_grad")
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self._array, self._type, self._changes = made._array, made._type, made._changes  # type: ignore[misc]
        self.requires_grad = wanted

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        kind, wanted = self._type, self.__dict__["_wants_grad"]
        return type(self), (wanted, str(kind.device), kind.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        # (PyTorch refuses this.)
        make, arguments = self.__reduce_ex__(2)
        made = memo[id(self)] = make(*arguments)
        return made


def _uninitialized(cls: Any, requires_grad: bool, device: Any, dtype: Any) -> Any:
    like = empty(0, device=device, dtype=dtype)
    made = object.__new__(cls)
    made._type, made._changes = like._type, like._changes
    made._view = made._edge = made._cut = None
    made.__dict__["_wants_grad"] = requires_grad
    return made


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape is not known yet: what lazy layers have before their first call.

    >>> import devgrad
    >>> p = devgrad.nn.UninitializedParameter()
    >>> p.materialize((2, 3))
    >>> p.shape
    torch.Size([2, 3])
    """

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        """A parameter to be materialized."""
        made: UninitializedParameter = _uninitialized(cls, requires_grad, device, dtype)
        return made


class UninitializedBuffer(_Uninitialized):
    """A buffer whose shape is not known yet."""

    __slots__ = ()
    cls_to_become = Tensor

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:  # fmt: skip
        """A buffer to be materialized."""
        made: UninitializedBuffer = _uninitialized(cls, requires_grad, device, dtype)
        made.__dict__.update(persistent=persistent, _is_buffer=True)
        return made


def is_lazy(param: Any) -> bool:
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, _Uninitialized)
