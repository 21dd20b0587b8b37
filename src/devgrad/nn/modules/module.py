"""The Module: parameters, buffers and modules under the names of its attributes."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from ..._tensor import Tensor
from ..._types import typename
from ...autograd._modes import no_grad
from ...device import DType, resolve, user_stacklevel
from ..parameter import Buffer, Parameter, UninitializedBuffer, UninitializedParameter
from ._hooks import (
    EVERY_MODULE,
    ModuleHooks,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from ._state_dict import ModuleState

__all__ = [
    "Module", "register_module_backward_hook", "register_module_buffer_registration_hook",
    "register_module_forward_hook", "register_module_forward_pre_hook",
    "register_module_full_backward_hook", "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook", "register_module_parameter_registration_hook",
]  # fmt: skip

Self = TypeVar("Self", bound="Module")


class Module(ModuleHooks, ModuleState):
    """The base of all neural networks and their layers.

    A subclass makes its parameters and inner modules in ``__init__``, after
    ``super().__init__()``, and computes in ``forward``. Whatever is assigned to an attribute and
    is a `Parameter`, a buffer or a `Module` is registered under that name.

    Attributes:
        training: whether it is being trained; dropout and the like ask for it.

    >>> import devgrad as torch
    >>> class Line(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.slope = torch.nn.Parameter(torch.tensor(2.0))
    ...     def forward(self, x):
    ...         return self.slope * x
    >>> model = Line()
    >>> model(torch.tensor(3.0))
    tensor(6., grad_fn=<MulBackward0>)
    >>> [name for name, _ in model.named_parameters()]
    ['slope']
    """

    training: bool
    dump_patches = False
    call_super_init = False  # whether __init__ goes on to the next class's, with its arguments

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                f"'{next(iter(kwargs))}'"
            )
        if not self.call_super_init and args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but "
                f"{len(args) + 1} were given"
            )
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _non_persistent_buffers_set=set(),
            _backward_pre_hooks=OrderedDict(),
            _backward_hooks=OrderedDict(),
            _is_full_backward_hook=None,
            _forward_hooks=OrderedDict(),
            _forward_hooks_with_kwargs=OrderedDict(),
            _forward_hooks_always_called=OrderedDict(),
            _forward_pre_hooks=OrderedDict(),
            _forward_pre_hooks_with_kwargs=OrderedDict(),
            _state_dict_hooks=OrderedDict(),
            _state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_pre_hooks=OrderedDict(),
            _load_state_dict_post_hooks=OrderedDict(),
            _modules={},
        )
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # --- calling ----------------------------------------------------------------------------------

    def _forward_is_missing(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    forward: Callable[..., Any] = _forward_is_missing

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """``forward``, with the hooks around it."""
        if (
            self._forward_hooks or self._forward_pre_hooks
            or self._backward_hooks or self._backward_pre_hooks or EVERY_MODULE.any
        ):  # fmt: skip
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # --- attributes -------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        # Asked only for what is no ordinary attribute.
        members = self.__dict__
        if "_modules" in members:
            for registered in (members["_parameters"], members["_buffers"], members["_modules"]):
                if name in registered:
                    return registered[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        members = self.__dict__
        if isinstance(value, Parameter):
            self._require_init("parameters")
            self._forget(name, "_buffers", "_modules")
            self.register_parameter(name, value)
        elif name in members.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected). For a parameter with these values "
                    "write nn.Parameter(value); to change its values, within torch.no_grad(), "
                    f"module.{name}.copy_(value)"
                )
            self.register_parameter(name, None)
        elif isinstance(value, Module):
            self._require_init("module")
            self._forget(name, "_parameters", "_buffers")
            self._put_module(name, value)
        elif name in members.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            self._put_module(name, None)
        elif isinstance(value, Buffer) or name in members.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            persistent = name not in members.get("_non_persistent_buffers_set", ())
            persistent = getattr(value, "persistent", persistent)
            self.register_buffer(name, value, persistent)
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for kind in ("_parameters", "_buffers", "_modules"):
            registered = self.__dict__.get(kind, {})
            if name in registered:
                del registered[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        registered = [*self._parameters, *self._buffers, *self._modules]
        names = {*dir(type(self)), *self.__dict__, *registered}
        return sorted(name for name in names if not name[0].isdigit())

    def _require_init(self, what: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(
                f"cannot assign {what} before Module.__init__() call. Call super().__init__() "
                f"first in {type(self).__name__}.__init__"
            )

    def _forget(self, name: str, *kinds: str) -> None:
        """Take the name away from where it was, since it is going to mean something else."""
        self.__dict__.pop(name, None)
        for kind in kinds:
            self.__dict__[kind].pop(name, None)
        self._non_persistent_buffers_set.discard(name)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # --- registration -----------------------------------------------------------------------------

    def _check_name(self, kind: str, name: Any, registered: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in registered:
            raise KeyError(f"attribute '{name}' already exists")

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Make a tensor part of the module's state that is not learnt.

        Args:
            name: the attribute.
            tensor: may be None, a place for one.
            persistent: whether it is part of ``state_dict()``.

        Raises:
            KeyError: there is such an attribute, or the name is none.
            TypeError: it is no tensor.

        >>> import devgrad
        >>> layer = devgrad.nn.Identity()
        >>> layer.register_buffer("mean", devgrad.zeros(2))
        >>> layer.mean
        tensor([0., 0.])
        """
        self._require_init("buffer")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        for hook in EVERY_MODULE.buffer_registration.values():
            answer = hook(self, name, tensor)
            tensor = tensor if answer is None else answer
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Make ``param`` the attribute ``name``, as assigning it does; None keeps the place.

        Raises:
            KeyError: there is such an attribute, or the name is none.
            TypeError: it is no `Parameter`. ValueError: it was computed.
        """
        self._require_init("parameter")
        self._check_name("parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    f"be created explicitly. To express '{name}' as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
            for hook in EVERY_MODULE.parameter_registration.values():
                answer = hook(self, name, param)
                param = param if answer is None else answer
        self._parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Make ``module`` the attribute ``name``, as assigning it does. `register_module` is the
        same.

        Raises:
            KeyError: there is such an attribute, or the name is none.
            TypeError: it is no `Module`.
        """
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._require_init("module")
        self._check_name("module", name, self._modules)
        self._put_module(name, module)

    def register_module(self, name: str, module: Module | None) -> None:
        """Another name for `add_module`."""
        self.add_module(name, module)

    def _put_module(self, name: str, module: Module | None) -> None:
        for hook in EVERY_MODULE.module_registration.values():
            answer = hook(self, name, module)
            module = module if answer is None else answer
        self._modules[name] = module

    # --- finding ----------------------------------------------------------------------------------

    def get_submodule(self, target: str) -> Module:
        """The module with this dotted name, ``"encoder.0"``; the module itself for ``""``.

        Raises:
            AttributeError: there is none.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            module = _member(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put another module in the place of the one with this dotted name.

        Args:
            strict: whether there must be one already.

        Raises:
            AttributeError: the place is not there, or holds no module. ValueError: no name.
        """
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if (strict or hasattr(parent, name)) and not isinstance(_member(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with this dotted name.

        Raises:
            AttributeError: there is none.
        """
        path, _, name = target.rpartition(".")
        found = _member(self.get_submodule(path), name)
        if not isinstance(found, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return found

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with this dotted name.

        Raises:
            AttributeError: there is none.
        """
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        found: Tensor = _member(owner, name)
        if name not in owner._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return found

    # --- going through ----------------------------------------------------------------------------

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once; ``recurse``: also those of inner modules."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once; ``recurse``: also those of inner modules."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their dotted names."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def _named(
        self, kind: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        inner = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in inner if recurse else [(prefix, self)]:
            for name, member in getattr(module, kind).items():
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield f"{path}.{name}" if path else name, member

    def children(self) -> Iterator[Module]:
        """The modules directly in this one, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly in this one, with their names."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self) -> Iterator[Module]:
        """This module and all within it, each once."""
        for _, module in self.named_modules():
            yield module

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all within it, with their dotted names."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call ``fn`` on every module within this one, and on it itself, last. For initialisation.

        >>> import devgrad
        >>> model = devgrad.nn.Sequential(devgrad.nn.Linear(1, 1))
        >>> _ = model.apply(lambda m: isinstance(m, devgrad.nn.Linear) and m.bias.data.zero_())
        """
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # --- changing all of it -----------------------------------------------------------------------

    def train(self: Self, mode: bool = True) -> Self:
        """Set ``training`` here and within, which dropout and batch normalisation ask for.

        Raises:
            ValueError: ``mode`` is no boolean.
        """
        if mode is not True and mode is not False:
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """`train(False)`: for use, after training."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Set ``requires_grad`` of all parameters: freeze or thaw the module."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Take away the gradients of all parameters; or, by choice, set them to zero."""
        for param in self.parameters():
            clear_grad(param, set_to_none)

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace the memory of all parameters, gradients and buffers by what ``fn`` makes."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for param in self._parameters.values():
                if isinstance(param, UninitializedParameter):
                    param._type = fn(param.as_empty())._type
                elif param is not None:
                    param.data = fn(param)
                    grad = param._grad
                    if grad is not None:
                        grad.data = fn(grad)
            for name, buffer in self._buffers.items():
                if isinstance(buffer, UninitializedBuffer):
                    buffer._type = fn(buffer.as_empty())._type
                elif buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """Move all parameters and buffers: ``to("cuda")``, ``to(torch.float64)``, ``to(tensor)``.

        The module itself is changed. A dtype is given to floating-point tensors only.

        Args:
            device, dtype, tensor: where to, what to, or what to be like; as `Tensor.to`.
            non_blocking, memory_format: taken for compatibility.

        Raises:
            TypeError: the dtype is no floating-point or complex one.

        >>> import devgrad
        >>> devgrad.nn.Linear(1, 1).to(devgrad.float64).weight.dtype
        torch.float64
        """
        device, dtype = _destination(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )
        if dtype is not None and dtype.is_complex:
            warnings.warn(_COMPLEX, stacklevel=user_stacklevel())
        return self._apply(lambda t: t.to(device, dtype if t._type.floating else None))

    def type(self: Self, dst_type: Any) -> Self:
        """Convert all parameters and buffers to a dtype, integers too."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self: Self) -> Self:
        """Convert floating-point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self: Self) -> Self:
        """Convert floating-point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self: Self) -> Self:
        """Convert floating-point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def cuda(self: Self, device: Any = None) -> Self:
        """Move all parameters and buffers to a CUDA device."""
        return self._apply(lambda t: t.cuda(device))

    def cpu(self: Self) -> Self:
        """Move all parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    # --- text -------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return self.__class__.__name__

    def extra_repr(self) -> str:
        """What stands in the parentheses when the module is printed. To be defined by layers."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        if len(lines) == 1 and not self._modules:
            return f"{self._get_name()}({extra})"
        lines += [f"({name}): {indented(repr(m))}" for name, m in self._modules.items()]
        inside = "".join(f"\n  {line}" for line in lines)
        return f"{self._get_name()}({inside}\n)" if lines else f"{self._get_name()}()"


_COMPLEX = (
    "Complex modules are a new feature under active development whose design may change, and some "
    "modules might not work as expected when using complex tensors as parameters or buffers."
)


def _member(module: Module, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise AttributeError(f"{module._get_name()} has no attribute `{name}`") from None


def _destination(
    *args: Any, device: Any = None, dtype: DType | None = None, tensor: Tensor | None = None,
    non_blocking: bool = False, memory_format: Any = None,
) -> tuple[Any, DType | None]:  # fmt: skip
    """The device and dtype that the arguments of `Module.to` name; None for what stays."""
    for argument in args:
        if isinstance(argument, Tensor):
            tensor = argument
        elif isinstance(argument, DType):
            dtype = argument
        elif argument is not None and not isinstance(argument, bool):
            device = argument
    if tensor is not None:
        return tensor.device, tensor.dtype
    return None if device is None else resolve(device), dtype


def clear_grad(param: Tensor, set_to_none: bool) -> None:
    """Take the gradient away, or set it to zero."""
    grad = param._grad
    if grad is None:
        return
    if set_to_none:
        param._grad = None
        return
    if grad.grad_fn is not None:
        grad.detach_()
    else:
        grad.requires_grad_(False)
    grad.zero_()


def indented(text: str) -> str:
    """``text`` with all lines but the first moved in by two."""
    return "\n  ".join(text.split("\n"))
