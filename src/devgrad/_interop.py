"""Leaving: tensors as arrays of other libraries, as Python numbers, as text, as pickles."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from ._printing import tensor_text
from ._tensor import Tensor, wrap
from .autograd._graph import AccumulateGrad
from .autograd._hooks import RemovableHandle, add_post_accumulate_hook, add_prehook, retain
from .device import (
    CPU,
    cuda_is_loaded,
    get_default_device,
    get_default_dtype,
    resolve,
)

__all__: list[str] = []


def numpy(self: Tensor, *, force: bool = False) -> Any:
    """The NumPy array, sharing memory.

    Args:
        force: detach, and copy to the CPU, where that is needed.

    Raises:
        RuntimeError: it requires grad. TypeError: it is not on the CPU.
    """
    if not force:
        if self.requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() "
                "instead."
            )
        if self.device is not CPU:
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to "
                "copy the tensor to host memory first."
            )
    return self._type.xp.to_host(self._array)


def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    array = numpy(self)
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        return array.astype(dtype)
    return array.copy() if copy else array


def __array_wrap__(
    self: Tensor, array: Any, context: Any = None, return_scalar: bool = False
) -> Any:
    # What NumPy's own functions make of a tensor is a tensor again, as in PyTorch.
    from ._creation import as_tensor

    return as_tensor(array)


def __dlpack__(
    self: Tensor, *, stream: int | None = -1, max_version: tuple[int, int] | None = None,
    dl_device: tuple[Any, int] | None = None, copy: bool | None = None,
) -> Any:  # fmt: skip
    """The tensor for other libraries, without a copy; what their ``from_dlpack`` calls.

    Args:
        stream: of a CUDA tensor, the handle of the stream that will use the memory (1 or None for
            the default one): it is made to wait for ours. -1 for no such order.
        max_version: the newest DLPack that the caller understands.
        dl_device: where the caller wants it: DLPack's kind and number of a device.
        copy: True copies in any case; False refuses to.

    Raises:
        BufferError: it requires grad. ValueError: a copy is needed, and ``copy`` is False.
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if stream is not None and type(stream) is not int:
        raise TypeError("stream must be ``int`` or ``none``")
    if dl_device is not None and tuple(map(int, dl_device)) != __dlpack_device__(self):
        if copy is False:
            raise ValueError(
                f"cannot move {self.device} tensor to the DLPack device {tuple(dl_device)} without "
                "copying. Set copy=None or copy=True."
            )
        kind, number = map(int, dl_device)
        if kind not in (1, 2):
            raise BufferError(f"there is no DLPack device {tuple(dl_device)} here")
        return self.to("cpu" if kind == 1 else f"cuda:{number}").__dlpack__(
            stream=-1 if kind == 1 else stream, max_version=max_version
        )
    if self.is_cpu:
        if stream not in (None, -1):
            raise AssertionError("stream should be None on cpu.")
        array = self._array.copy(order="K") if copy else self._array
        return array.__dlpack__(**({} if max_version is None else _versioned(max_version)))
    array = self._array
    with self._type.xp.on_device(self.device.index):
        if copy:
            array = array.copy(order="K")
        return array.__dlpack__(stream=stream, max_version=max_version)


def _versioned(max_version: tuple[int, int]) -> dict[str, Any]:
    # NumPy before 2.1 knows no versions.
    return {"max_version": max_version} if CPU.xp.dlpack_versions else {}


def __dlpack_device__(self: Tensor) -> Any:
    return tuple(map(int, self._array.__dlpack_device__()))


def _cuda_array_interface(self: Tensor) -> Any:
    """What CuPy, Numba and PyTorch take over CUDA arrays by; it names our current stream."""
    if not self.is_cuda:
        raise AttributeError(
            f"Can't get __cuda_array_interface__ on non-CUDA tensor type: {self._type} If CUDA "
            "data is required use tensor.cuda() to copy tensor to device memory."
        )
    if self.requires_grad:
        raise RuntimeError(
            "Can't get __cuda_array_interface__ on Variable that requires grad. If gradients "
            "aren't required, use var.detach() to get Variable that doesn't require grad."
        )
    with self._type.xp.on_device(self.device.index):
        return self._array.__cuda_array_interface__


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """A copy in page-locked memory, which a GPU reads without the processor's help.

    ``x.pin_memory().to("cuda", non_blocking=True)`` returns at once. What is pinned already is
    returned as it is; so is everything where there is no GPU.

    Raises:
        RuntimeError: the tensor is on a GPU.
    """
    if not self.is_cpu:
        raise RuntimeError(f"cannot pin '{self._type}' only dense CPU tensors can be pinned")
    xp = resolve("cuda").xp  # the CPU's, after a warning, where there is no CUDA
    if xp is CPU.xp or xp.is_pinned(self._array):
        return self
    return wrap(xp.pinned(self._array), self._type)


def record_stream(self: Tensor, stream: Any) -> None:
    """Tell that a stream other than the one it was made in works with the tensor's memory.

    When the tensor goes, its memory is not given to another before that stream has done what it
    has been given by then. Without this, the streams have to wait for each other.

    Raises:
        RuntimeError: the tensor is not on a GPU.
    """
    if not self.is_cuda:
        raise RuntimeError(f"record_stream() is for CUDA tensors, and this one is on {self.device}")
    self._type.xp.hold_for(self, self._array, stream.stream)


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether it lies in page-locked memory."""
    return self.is_cpu and cuda_is_loaded() and bool(resolve("cuda").xp.is_pinned(self._array))


def item(self: Tensor) -> Any:
    """The only element, as a Python number.

    Raises:
        RuntimeError: there is not exactly one.
    """
    if self._array.size != 1:
        raise RuntimeError(
            f"a Tensor with {self._array.size} elements cannot be converted to Scalar: this one "
            f"has shape {list(self.shape)}. Use tolist(), or reduce it first"
        )
    return self._array.item()


def tolist(self: Tensor) -> Any:
    """Nested lists of Python numbers."""
    return self._array.tolist()


def _only_number(self: Tensor) -> Any:
    if self._array.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    if self._own_edge() is not None:
        warnings.warn(
            "Converting a tensor with requires_grad=True to a scalar may lead to unexpected "
            "behavior.\nConsider using tensor.detach() first.",
            UserWarning,
            stacklevel=3,
        )
    return self._array.item()


def __int__(self: Tensor) -> int:
    return int(_only_number(self))


def __float__(self: Tensor) -> float:
    return float(_only_number(self))


def __complex__(self: Tensor) -> complex:
    return complex(_only_number(self))


def __index__(self: Tensor) -> int:
    if self._array.size != 1 or self._type.dtype.category > 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return int(self._array.item())


def __iter__(self: Tensor) -> Iterator[Tensor]:
    if not self._array.ndim:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def __delitem__(self: Tensor, index: Any) -> None:
    raise TypeError("Tensor does not support deleting items. Index what is to stay")


def __reversed__(self: Tensor) -> Tensor:
    return self.flip(0) if self._array.ndim else self


def __contains__(self: Tensor, element: Any) -> bool:
    if isinstance(element, (Tensor, int, float, complex, bool)):
        return bool((self == element).any().item())
    raise RuntimeError(
        f"Tensor.__contains__ only supports Tensor or scalar, but you passed in a {type(element)}."
    )


# --- text ------------------------------------------------------------------------------------


def __repr__(self: Tensor, *, tensor_contents: Any = None) -> str:
    edge = self._own_edge()
    leaf = edge is None or edge.__class__ is AccumulateGrad
    prefix = "tensor("
    if getattr(type(self), "_prints_as_parameter", False):
        prefix = "Parameter containing:\ntensor("
    elif type(self) is not Tensor:
        prefix = f"{type(self).__name__}("
    shows_device = self.device is not CPU or get_default_device() is not CPU
    return tensor_text(
        self._array,
        dtype_name=self._type.dtype.name,
        default_dtype_name=get_default_dtype().name,
        device_text=str(self.device) if shows_device else None,
        grad_fn_name=None if leaf or edge is None else edge.node.name(),
        requires_grad=edge is not None,
        prefix=prefix,
    )


def __format__(self: Tensor, spec: str) -> str:
    if not self._array.ndim and type(self) is Tensor:
        return format(self._array.item(), spec)
    return object.__format__(self, spec)


# --- gradients of computed tensors ----------------------------------------------------------


def retain_grad(self: Tensor) -> None:
    """Keep the gradient of this non-leaf: ``backward()`` then fills in its ``.grad`` too.

    Raises:
        RuntimeError: it does not require grad.
    """
    edge = self._own_edge()
    if edge is None:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if edge.__class__ is not AccumulateGrad and self._retains is None:
        retain(self)


def register_hook(self: Tensor, hook: Any) -> RemovableHandle:
    """Call ``hook(grad)`` when the gradient of this tensor is known; what it returns replaces it.

    Raises:
        RuntimeError: the tensor does not require grad.

    >>> import devgrad
    >>> x = devgrad.ones(2, requires_grad=True)
    >>> handle = x.register_hook(lambda g: 2 * g)
    >>> x.sum().backward()
    >>> x.grad
    tensor([2., 2.])
    """
    edge = self._own_edge()
    if edge is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return add_prehook(edge, hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: Any) -> RemovableHandle:
    """Call ``hook(tensor)`` each time that ``backward()`` has added to this leaf's ``.grad``.

    Raises:
        RuntimeError: the tensor does not require grad, or is no leaf.

    >>> import devgrad
    >>> w = devgrad.ones(2, requires_grad=True)
    >>> handle = w.register_post_accumulate_grad_hook(lambda w: print("got", w.grad))
    >>> w.sum().backward()
    got tensor([1., 1.])
    """
    edge = self._own_edge()
    if edge is None:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if not isinstance(edge, AccumulateGrad):
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return add_post_accumulate_hook(edge, hook)


for _method in (
    numpy, item, tolist, __array__, __array_wrap__, __dlpack__, __dlpack_device__, __int__,
    __float__, __complex__, __index__, __iter__, __delitem__, __reversed__, __contains__, __repr__,
    __format__,
    retain_grad, register_hook,
    register_post_accumulate_grad_hook, is_pinned, pin_memory, record_stream,
):  # fmt: skip
    setattr(Tensor, _method.__name__, _method)
Tensor.__cuda_array_interface__ = property(_cuda_array_interface)  # type: ignore[attr-defined]
